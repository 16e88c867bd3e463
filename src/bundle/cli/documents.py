"""Files that users write: TOML, or JSON where the text begins with a brace."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import msgspec

from bundle.errors import UsageError
from bundle.files import LIMITS, input_errors, read_whole
from bundle.model import Json

_LINE = re.compile(r"\(at line (\d+), column \d+\)$")
_BYTE = re.compile(r"\(byte (\d+)\)$")


def parsed(path: Path, *, what: str, form: str) -> dict[str, Json]:
    """The document in a file; ``what`` and ``form`` name it and its form in messages, which never quote it.

    Raises:
        UsageError: it cannot be read, or is neither TOML nor a JSON object.
    """
    text = text_of(path)
    return _json(text, path, what, form) if text.lstrip().startswith("{") else _toml(text, path, what, form)


def text_of(path: Path) -> str:
    """The text of a file.

    Raises:
        UsageError: it cannot be read, or is not UTF-8.
    """
    try:
        with input_errors(path, UsageError, hint="check the file name"):
            return read_whole(path, LIMITS.document_bytes).decode()
    except UnicodeDecodeError:
        # Without the cause, which holds the bytes of the file.
        raise UsageError(f"{path}: not UTF-8 text", hint="save it as UTF-8") from None


def _json(text: str, path: Path, what: str, form: str) -> dict[str, Json]:
    try:
        return msgspec.json.decode(text, type=dict[str, Json])
    except (ValueError, RecursionError) as error:
        # Without the cause: it may quote the document.
        raise UsageError(f"{path}: not {what} in JSON{_at_byte(text, error)}", hint=form) from None


def _at_byte(text: str, error: Exception) -> str:
    """The line of an error that tells a byte."""
    found = _BYTE.search(str(error))
    lines = 1 + text.encode()[: int(found[1])].count(b"\n") if found else 0
    return f", line {lines}" if lines else ""


def _toml(text: str, path: Path, what: str, form: str) -> dict[str, Json]:
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # Without the cause: it may quote the document.
        line = _LINE.search(str(error))
        where = f", line {line[1]}" if line else ", at its end"
        raise UsageError(f"{path}: not {what} in TOML{where}", hint=form) from None
    try:
        return msgspec.json.decode(msgspec.json.encode(document), type=dict[str, Json])
    except (ValueError, RecursionError):
        raise UsageError(
            f"{path}: has a value that JSON does not have", hint="write dates and times as strings, in quotes"
        ) from None
