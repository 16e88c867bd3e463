"""Laws of references: ids go out and come back, and nothing else is touched."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.kinds.naming import template_names
from bundle.model import Reference
from bundle.record.references import NIL_ID, cut, put_back

KNOWN = tuple(str(uuid.UUID(int=number << 64 | 0x4000_8000_0000_0000)) for number in range(1, 5))
KEYS = {identifier: f"flow:f{position}" for position, identifier in enumerate(KNOWN)}
OTHER = {identifier: str(uuid.UUID(int=number + 99)) for number, identifier in enumerate(KNOWN)}

id_texts = st.sampled_from(KNOWN) | st.sampled_from([each.replace("-", "") for each in KNOWN])
pieces = st.text(alphabet=st.characters(exclude_categories=["Cs"]) | st.sampled_from("~/ {}*-"), max_size=6)
free_texts = pieces | st.sampled_from(["********", "flow:f0", "xfer:pending:0", "{{ prefect.blocks.a.b }}", NIL_ID])
texts = free_texts | st.tuples(
    st.sampled_from([" ", "", "0", "-", "g"]), st.lists(free_texts | id_texts, max_size=4)
).map(lambda pair: pair[0].join(pair[1]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=12,
)
bodies = st.dictionaries(pieces, values, max_size=4)


def _exchange(body: dict[str, object], ids: dict[str, str]) -> dict[str, object]:
    """Cut the known ids out and put ``ids`` of the same keys in."""
    done = cut(body, KEYS.__contains__, KEYS.__getitem__)
    by_key = {key: ids[identifier] for identifier, key in KEYS.items()}
    references = [Reference(hit.pointer, KEYS[hit.id], hit.form, hit.offset) for hit in done.found]
    return put_back(done.body, references, lambda reference: by_key[reference.target])


@given(bodies)
def test_what_is_cut_out_comes_back_where_it_was(body: dict[str, object]) -> None:
    """Cutting ids and putting the same ids back gives the same body, whatever else stands in it."""
    assert _exchange(body, {identifier: identifier for identifier in KNOWN}) == body


@given(bodies)
def test_going_to_other_ids_and_back_changes_nothing(body: dict[str, object]) -> None:
    """A body moved to other ids and cut there leaves the same text and the same places."""
    there = _exchange(body, OTHER)
    back = {other: KEYS[identifier] for identifier, other in OTHER.items()}
    here = cut(body, KEYS.__contains__, KEYS.__getitem__)
    again = cut(there, back.__contains__, back.__getitem__)

    assert here.body == again.body
    assert [(hit.pointer, KEYS[hit.id], hit.form, hit.offset) for hit in here.found] == [
        (hit.pointer, back[hit.id], hit.form, hit.offset) for hit in again.found
    ]


@given(bodies)
def test_no_known_id_stays_in_a_value(body: dict[str, object]) -> None:
    """After cutting, no value holds a known id."""

    def texts_of(value: object) -> list[str]:
        if isinstance(value, dict):
            return [text for item in value.values() for text in texts_of(item)]
        if isinstance(value, list):
            return [text for item in value for text in texts_of(item)]
        return [value] if isinstance(value, str) else []

    bare = cut(body, KEYS.__contains__, KEYS.__getitem__).body

    assert not [text for text in texts_of(bare) for known in KNOWN if known in text]


@given(bodies)
def test_a_body_without_known_ids_is_untouched(body: dict[str, object]) -> None:
    """Ids that no resource has stay as they are and are reported once for each place."""
    done = cut(body, lambda _: False, lambda _: "")

    assert done.body == body
    assert done.found == ()


@pytest.mark.parametrize("text", ["{{ variables.a " * 70_000, "{{ variables." + "a" * 1_000_000])
def test_templates_that_do_not_end_cost_no_more_than_their_length(text: str) -> None:
    """A megabyte of templates that were never closed is read in one go, and names nothing."""
    assert list(template_names({"text": text})) == []
