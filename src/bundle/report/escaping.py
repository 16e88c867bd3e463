"""Makes text from bundles and servers safe to print.

Rules: no character that moves the cursor, starts an escape sequence or reverses the direction of
reading reaches a terminal; each is shown as its code point instead. Whether text is printed to a
terminal or a file makes no difference.
"""

from __future__ import annotations

import re

_UNSAFE = re.compile(
    # C0, DEL, C1; line and paragraph separators; marks and controls of bidirectional text; lone surrogates.
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


def escape(text: str) -> str:
    r"""The text on one line, with every unsafe character written as ``\xNN`` or ``\uNNNN``."""
    return _UNSAFE.sub(lambda found: _written(found[0]), text)


def escape_lines(text: str) -> str:
    """The same for a text whose own line breaks are to stay."""
    return "\n".join(map(escape, text.split("\n")))


def escape_json(document: str) -> str:
    r"""A JSON document with every unsafe character written as ``\uNNNN``; it means the same."""
    # In JSON such characters stand only inside strings; line breaks stand only between tokens.
    return _UNSAFE.sub(lambda found: "\n" if found[0] == "\n" else f"\\u{ord(found[0]):04x}", document)


def _written(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - two hex digits
