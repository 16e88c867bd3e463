"""Which secrets a record lacks, and which live ones have to be asked for."""

from __future__ import annotations

from bundle.plan.secret_values import SecretValues, to_reveal
from bundle.record.secrets import marker
from support.by_hand import intended, record, there

BODY = {"name": "b", "data": {"p": None, "q": None}, "block_type_id": "t", "block_schema_id": "s"}
BLOCK = record("block:x/b", BODY, secrets=["/data/p", "/data/q"])
P, Q = (each.slot for each in BLOCK.secrets)


def test_slots_without_a_value_are_lacking() -> None:
    """Any value fills a slot, one that is false too."""
    (each,) = intended(BLOCK)

    assert SecretValues().lacking(each) == (P, Q)
    assert SecretValues({P: ""}).lacking(each) == (Q,)
    assert SecretValues({P: False, Q: 0}).lacking(each) == ()


def test_placeholders_are_known_only_where_secrets_are_shown() -> None:
    """A slot is marked where the live body has our placeholder in its place; what is not shown may be anything."""
    (each,) = intended(BLOCK)
    live = {**BODY, "data": {"p": marker(BLOCK.secrets[0]), "q": "live"}}

    assert SecretValues(revealed={"B": live}).marked(each, "B") == (P,)
    assert SecretValues(revealed={"B": live}).marked(each, "other") == ()


def test_what_has_secrets_on_either_side_is_asked_for() -> None:
    """A block with secrets in the bundle or at the destination; nothing else, and nothing that is not there."""
    plain = record("block:x/b", BODY)
    absent = record("block:x/c", {**BODY, "name": "c"}, secrets=["/data/p"])
    variable = record("variable:v", {"name": "v", "value": 1})
    pairs = {BLOCK.key: BLOCK.key, variable.key: variable.key}

    assert to_reveal(intended(BLOCK, absent, variable), pairs, there(plain, variable)) == [BLOCK.key]
    assert to_reveal(intended(plain), pairs, there(BLOCK)) == [BLOCK.key]
    assert to_reveal(intended(plain), pairs, there(plain)) == []
