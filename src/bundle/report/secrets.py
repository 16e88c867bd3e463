"""The file of secrets to fill in: TOML, one line for each slot of a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterable

from bundle.model import SecretSlot
from bundle.record.secrets import variable_name
from bundle.report.escaping import escape, escape_json

_HEAD = """\
# Fill in what you have, and give this file to `xfer import --secrets FILE`; keep it to yourself.
# An empty text means: not supplied. A slot that is not a string takes TOML of its type, or JSON as text.
"""


def template(slots: Iterable[SecretSlot]) -> str:
    """The whole file, its values empty."""
    return _HEAD + "".join(map(_entry, slots))


def _entry(slot: SecretSlot) -> str:
    return f'\n# {escape(slot.type)}; or the variable {variable_name(slot.slot)}\n{_quoted(slot.slot)} = ""\n'


def _quoted(text: str) -> str:
    # TOML reads JSON's strings, but no surrogate pairs, and no bare DEL.
    return escape_json(json.dumps(text, ensure_ascii=False))
