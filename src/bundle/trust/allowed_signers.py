"""The file that says whose signatures are trusted: OpenSSH's ``allowed_signers`` (ssh-keygen(1), ALLOWED SIGNERS).

A line is ``PATTERNS [OPTIONS] TYPE KEY [COMMENT]``. Stricter than ssh-keygen, which passes over a line that it cannot
read: here such a line refuses the whole file, so a mistake does not quietly change who is trusted. A certificate as a
key is refused too; there the authority has to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from bundle.errors import UsageError
from bundle.files import input_errors
from bundle.trust import dates, keys, patterns
from bundle.trust.keys import PublicKey
from bundle.trust.wire import MalformedError

LONGEST = 4 * 1024 * 1024
"""Bytes of a file of keys at most."""

_HINT = "name a file of allowed signers"
_QUOTED = r'"[^"]*"'
_OPTION = re.compile(r'([A-Za-z-]+)(?:="((?:\\"|[^"])*)")?')
_WORDS = re.compile(r'((?:"(?:\\"|[^"])*"|[^\s"])+)(?:[ \t]+|$)')
_PRINCIPALS = re.compile(rf'({_QUOTED}|[^\s"]+)[ \t]+')
_FLAG = "cert-authority"
_WITH_VALUE = ("namespaces", "valid-after", "valid-before")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One line: whoever the list of patterns ``principals`` matches may sign with ``key``.

    With ``is_authority`` whoever shows a certificate by that key. ``namespaces`` is a list of patterns; the times are
    seconds since 1970, and both ends belong to the time of validity.
    """

    line: int
    principals: str
    key: PublicKey
    is_authority: bool = False
    namespaces: str | None = None
    valid_after: int | None = None
    valid_before: int | None = None


def load(path: Path) -> tuple[Entry, ...]:
    """The entries of a file.

    Raises:
        UsageError: it cannot be read, or one of its lines cannot.
    """
    return parse(text_of(path), str(path))


def text_of(path: Path) -> str:
    """The text of a file of keys; raises as ``load``."""
    with input_errors(path, UsageError, hint=_HINT), path.open("rb") as file:
        data = file.read(LONGEST + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not a text in UTF-8", hint=_HINT) from error
    if len(data) > LONGEST:
        raise UsageError(f"{path}: longer than {LONGEST} bytes", hint=_HINT)
    return text


def parse(text: str, name: str) -> tuple[Entry, ...]:
    """The entries of a text; ``name`` is the file in messages. Raises as ``load``."""
    return tuple(_entries(text, name))


def lines_of(text: str) -> Iterator[tuple[int, str]]:
    """The lines that say something, with their numbers: no empty ones, no comments."""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip(" \t\r")
        if stripped and not stripped.startswith("#"):
            yield number, stripped


def _entries(text: str, name: str) -> Iterator[Entry]:
    for number, line in lines_of(text):
        try:
            yield _entry(number, line)
        except MalformedError as error:
            raise UsageError(f"{name}:{number}: {error}", hint=_HINT) from error


_HINT = "a line is: PRINCIPALS [OPTIONS] KEYTYPE KEY, see ALLOWED SIGNERS in `man ssh-keygen`"


def _entry(number: int, line: str) -> Entry:
    start = _PRINCIPALS.match(line)
    if start is None:
        raise MalformedError("not a list of principals and a key")
    principals = patterns.check(start[1].strip('"'))
    words = _words(line[start.end() :])
    options = "" if _is_type(words[0]) else words.pop(0)
    if len(words) < 2:  # noqa: PLR2004 - a type and a key
        raise MalformedError("the key is missing")
    found = _options(options)
    entry = Entry(
        line=number,
        principals=principals,
        key=_key(*words[:2]),
        is_authority=_FLAG in found,
        namespaces=patterns.check(found["namespaces"]) if "namespaces" in found else None,
        valid_after=dates.read(found["valid-after"]) if "valid-after" in found else None,
        valid_before=dates.read(found["valid-before"]) if "valid-before" in found else None,
    )
    _check_times(entry)
    return entry


def _is_type(word: str) -> bool:
    """Whether a word can only be the type of a key; no option begins like one."""
    return word.startswith(("ssh-", "ecdsa-", "sk-"))


def _words(text: str) -> list[str]:
    """At most the first three words; quotes hold spaces together. What follows is a comment."""
    words, offset = list[str](), 0
    while len(words) < 3 and offset < len(text):  # noqa: PLR2004 - options, type and key
        word = _WORDS.match(text, offset)
        if word is None:
            if len(words) == 2 and _is_type(words[0]):  # noqa: PLR2004 - a comment may hold anything
                break
            raise MalformedError("a quote is not closed")
        words.append(word[1])
        offset = word.end()
    return words


def _key(type_: str, encoded: str) -> PublicKey:
    key = keys.read_line(type_, encoded)
    if key.certificate:
        raise MalformedError("a certificate; put the key of its authority here, with cert-authority")
    return key


def _options(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _split(text):
        if name in found:
            raise MalformedError(f"the option {name} is there twice")
        found[name] = _value(name, value)
    return found


def _split(text: str) -> Iterator[tuple[str, str | None]]:
    """The options of a list, their names in lower case; the value is None without ``=``."""
    offset = 0
    while offset < len(text):
        option = _OPTION.match(text, offset)
        if option is None or text[option.end() : option.end() + 1] not in {"", ","}:
            raise MalformedError(f"cannot read the options at {text[offset : offset + 40]!r}")
        if option.end() + 1 == len(text):
            raise MalformedError("the options end with a comma")
        yield option[1].lower(), option[2]
        offset = option.end() + 1


def _value(name: str, value: str | None) -> str:
    if name != _FLAG and name not in _WITH_VALUE:
        raise MalformedError(f"unknown option {name}")
    if (name == _FLAG) != (value is None):
        raise MalformedError(f"the option {name} takes {'no value' if name == _FLAG else 'a value in quotes'}")
    return (value or "").replace('\\"', '"')


def _check_times(entry: Entry) -> None:
    if None not in {entry.valid_after, entry.valid_before} and (entry.valid_before or 0) <= (entry.valid_after or 0):
        raise MalformedError("valid-before is not later than valid-after")
