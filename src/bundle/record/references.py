"""Finds references in bodies, cuts ids out of them and puts ids back in.

Rules:

1. An id is a UUID, with or without dashes. It is a reference when a resource
   of the same environment has it, wherever it is: a field of its own, part
   of a label, a template, free text, even a member name.
2. Cutting leaves the text around the id as it was; where the id stood is
   recorded beside the body, so no text of a user can be mistaken for a mark.
3. Ids that no resource has stay as they are and are reported.
4. References by name are found by the kinds (``kinds.naming``), and never rewritten here.

Pure: no I/O.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from bundle.model import Body, Json, Key, Pointer, Reference
from bundle.record.pointers import join, split

NIL_ID = "00000000-0000-0000-0000-000000000000"

# With dashes an id is found even between other hex digits; without, only where it is alone.
_UUID = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
    r"|(?<![0-9a-fA-F])[0-9a-fA-F]{32}(?![0-9a-fA-F])"
)
_SHORTEST = 32
# Resource ids of what no environment hands on: runs, and the account and people of a Cloud workspace.
_FOREIGN_LABEL = re.compile(
    r"^!?(?:prefect\.(?:flow|task)-run|prefect-cloud\.(?:account|workspace|actor|user|team))\.[0-9a-f]"
)


class Found(msgspec.Struct, frozen=True):
    """An id found in a body: where, whose, and in which form."""

    pointer: Pointer
    id: str
    form: Literal["uuid", "hex", "member"]
    offset: int = 0


class Cut(msgspec.Struct, frozen=True):
    """A body without ids: what was cut out, and what looked like an id but is nobody's."""

    body: Body
    found: tuple[Found, ...]
    unexplained: tuple[tuple[Pointer, str], ...]


def normal_id(text: str) -> str:
    """The one spelling of an id: lower case, with dashes."""
    digits = text.replace("-", "").lower()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def is_id(text: str) -> bool:
    """Whether the whole text is an id."""
    return bool(_UUID.fullmatch(text))


def ids_in(value: Json) -> Iterator[str]:
    """Every id in a value, in texts as in member names."""
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, str):
            yield from (normal_id(match[0]) for match in _UUID.finditer(item))
        elif isinstance(item, list):
            rest += item
        elif isinstance(item, dict):
            rest += [*item, *item.values()]


def blank_ids(text: str) -> str:
    """The text with every id replaced by the nil id, to order things without looking at ids."""
    return _UUID.sub(NIL_ID, text)


def replace_ids(text: str, value_of: Callable[[str], str | None]) -> str:
    """The text with each id replaced, unless ``value_of`` gives None for it."""
    return _UUID.sub(lambda match: value_of(normal_id(match[0])) or match[0], text)


def cut(body: Body, is_known: Callable[[str], bool], name_of: Callable[[str], Key]) -> Cut:
    """Cut every known id out of ``body``.

    ``name_of`` gives the key that takes the place of an id inside a member name.
    """
    cutter = _Cutter(is_known, name_of)
    bare: Body = cutter.value(body, ())
    return Cut(bare, tuple(cutter.found), tuple(cutter.unexplained))


class _Cutter:
    """Walks a body once, gathering what it cuts out."""

    def __init__(self, is_known: Callable[[str], bool], name_of: Callable[[str], Key]) -> None:
        self._is_known = is_known
        self._name_of = name_of
        self.found: list[Found] = []
        self.unexplained: list[tuple[Pointer, str]] = []

    def value(self, value: Json, path: tuple[str, ...]) -> Json:
        if isinstance(value, str):
            return self._text(value, path) if len(value) >= _SHORTEST else value
        if isinstance(value, list):
            return [self.value(item, (*path, str(position))) for position, item in enumerate(value)]
        return self._members(value, path) if isinstance(value, dict) else value

    def _text(self, text: str, path: tuple[str, ...]) -> str:
        kept: list[str] = []
        length = start = 0
        for match in _UUID.finditer(text):
            identifier = normal_id(match[0])
            if self._is_known(identifier):
                kept.append(text[start : match.start()])
                length += match.start() - start
                start = match.end()
                self.found.append(Found(join(*path), identifier, _form(match[0]), length))
            elif _form(match[0]) == "uuid" and identifier != NIL_ID:
                self.unexplained.append((join(*path), identifier))
        return "".join((*kept, text[start:])) if kept else text

    def _members(self, value: Body, path: tuple[str, ...]) -> Body:
        result: Body = {}
        for name, item in value.items():
            renamed, hit = self._name(name, path) if len(name) >= _SHORTEST else (name, None)
            if hit is not None and renamed not in value:
                self.found.append(hit)
                result[renamed] = self.value(item, (*path, renamed))
            else:
                result[name] = self.value(item, (*path, name))
        return result

    def _name(self, name: str, path: tuple[str, ...]) -> tuple[str, Found | None]:
        matches = list(_UUID.finditer(name))
        identifier = matches[0][0] if len(matches) == 1 else NIL_ID
        if identifier != normal_id(identifier) or not self._is_known(identifier):
            return name, None
        start, end = matches[0].span()
        renamed = name[:start] + self._name_of(identifier) + name[end:]
        return renamed, Found(join(*path, renamed), identifier, "member", start)


def _form(text: str) -> Literal["uuid", "hex"]:
    return "uuid" if "-" in text else "hex"


def put_back(body: Body, references: Iterable[Reference], value_of: Callable[[Reference], str]) -> Body:
    """The body with the destination's ids in the places that references name."""
    rewritten = [reference for reference in references if reference.form != "name"]
    if not rewritten:
        return body
    inserts: dict[tuple[str, ...], list[Reference]] = {}
    renames: dict[tuple[str, ...], Reference] = {}
    for reference in rewritten:
        path = tuple(split(reference.pointer))
        if reference.form == "member":
            renames[path] = reference
        else:
            inserts.setdefault(path, []).append(reference)

    def visit(value: Json, path: tuple[str, ...]) -> Json:
        if isinstance(value, str):
            return _insert(value, inserts.get(path, ()), value_of)
        if isinstance(value, list):
            return [visit(item, (*path, str(position))) for position, item in enumerate(value)]
        if isinstance(value, dict):
            return {
                _rename(name, renames.get((*path, name)), value_of): visit(item, (*path, name))
                for name, item in value.items()
            }
        return value

    full: Body = visit(body, ())
    return full


def _insert(text: str, references: Iterable[Reference], value_of: Callable[[Reference], str]) -> str:
    pieces: list[str] = []
    start = 0
    for reference in sorted(references, key=lambda each: each.offset):
        pieces += [text[start : reference.offset], _spell(reference, value_of)]
        start = reference.offset
    return "".join((*pieces, text[start:])) if pieces else text


def _rename(name: str, reference: Reference | None, value_of: Callable[[Reference], str]) -> str:
    if reference is None:
        return name
    after = reference.offset + len(reference.target)
    return name[: reference.offset] + value_of(reference) + name[after:]


def _spell(reference: Reference, value_of: Callable[[Reference], str]) -> str:
    value = value_of(reference)
    return value.replace("-", "") if reference.form == "hex" else value


def is_foreign_label(text: str) -> bool:
    """Whether a label value names something of the source that no bundle holds, and that exists nowhere else."""
    return bool(_FOREIGN_LABEL.match(text))
