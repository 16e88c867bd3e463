"""The file of secrets to fill in."""

from __future__ import annotations

import tomllib

from bundle.model import SecretSlot
from bundle.report import secrets, text
from support.reports import manifest


def test_any_slot_is_a_key_in_toml() -> None:
    """No name of a slot breaks the syntax of the file or reaches the terminal as it is."""
    name = 'block:a/"\\\x1b[31mred\u202e[bold]\n\x7f\U0001f680#/x'
    stored = manifest(secrets=(SecretSlot(name, "block:a", "/x", "string"),))

    form = text.render(secrets.report(stored, "env.pxb"))

    assert tomllib.loads(form) == {name: ""}
    assert not {"\x1b", "\x7f", "\u202e"} & set(form)
