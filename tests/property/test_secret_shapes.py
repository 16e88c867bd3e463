"""Whatever shape a block class has, no secret of it stays in what is exported.

The classes are real ones of Prefect's SDK, and so are their schemas. ``XFER_SECRET_SHAPES`` is the number of
examples (200 where it is not set).
"""

from __future__ import annotations

import json
import os

from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.model import Json
from bundle.record.pointers import replace_all
from bundle.record.secret_schema import secret_places
from support.shapes import CANARY, LEAVES, WRAPPERS, Shape, block_class, leaf

EXAMPLES = int(os.environ.get("XFER_SECRET_SHAPES", "200"))


def _shapes(depth: int) -> st.SearchStrategy[Shape]:
    leaves = st.builds(leaf, st.sampled_from(LEAVES), st.integers(0, 10**6))
    if depth == 0:
        return leaves
    wrapped = st.builds(lambda wrap, inner: wrap(inner), st.sampled_from(WRAPPERS), _shapes(depth - 1))
    return st.one_of(leaves, wrapped)


def _stored(schema: Json, *, is_stripped: bool) -> Json:
    """A schema as a server may have it: it keeps no ``additionalProperties`` of maps."""
    if isinstance(schema, dict):
        dropped = {"additionalProperties"} if is_stripped else set()
        return {name: _stored(each, is_stripped=is_stripped) for name, each in schema.items() if name not in dropped}
    return [_stored(each, is_stripped=is_stripped) for each in schema] if isinstance(schema, list) else schema


@settings(max_examples=EXAMPLES)
@given(_shapes(3), st.booleans(), st.integers(0, 10**9))
def test_no_secret_stays(shape: Shape, is_stripped: bool, number: int) -> None:  # noqa: FBT001 - hypothesis
    """Every composition of secret types, three deep: no canary is left, and what has no secret is left whole."""
    schema = block_class(shape, number)._to_block_schema().fields
    data: Json = {"field": shape.value}
    places = secret_places(data, _stored(schema, is_stripped=is_stripped))

    assert CANARY not in json.dumps(replace_all(data, dict.fromkeys(places)))
    assert shape.is_secret or places == {}
