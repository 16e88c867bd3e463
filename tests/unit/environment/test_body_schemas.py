"""The published reference of kinds says what the reader takes."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.container.reader import read_bundle
from bundle.environment import body_schemas
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from support.bundles import GOLDEN, GOLDEN_EXTERNAL, GOLDEN_ORDERED, ROOT, Json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.just(1.5) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@functools.cache
def validator(kind: str) -> jsonschema.Draft202012Validator:
    """Of the published schema of a kind, which must be a schema itself."""
    schema = json.loads((ROOT / "schemas" / f"kind-{kind}-1.schema.json").read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@st.composite
def bodies(draw: st.DrawFn, kind: Kind) -> Json:
    """A body of some of the fields of a kind, of which only few fit."""
    names = draw(st.lists(st.sampled_from(sorted({*kind.travelling, "unheard_of"})), unique=True))
    needed = {name: "x" for name in kind.fields if kind.fields[name].needed}
    return needed | {name: draw(VALUES) for name in names}


def test_what_is_published_is_current(tmp_path: Path) -> None:
    """The files in schemas/ and the page in docs/ are what the tables say."""
    for folder in ("schemas", "docs"):
        (tmp_path / folder).mkdir()

    body_schemas.publish(tmp_path)

    made = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()}
    assert len(made) == len(KINDS) + 1
    assert made == {path: (ROOT / path).read_bytes() for path in made}


@pytest.mark.parametrize("name", KINDS)
@given(data=st.data())
def test_schema_and_reader_agree(name: str, data: st.DataObject) -> None:
    """What the published schema of a kind refuses, the reader refuses, and the other way round."""
    body = data.draw(bodies(KINDS[name]))

    assert validator(name).is_valid(body) == (KINDS[name].misfit_of_body(body) is None)


@pytest.mark.parametrize("golden", [GOLDEN, GOLDEN_EXTERNAL, GOLDEN_ORDERED])
def test_golden_bodies_fit(golden: Path) -> None:
    """The bodies of released bundles fit the schemas of today."""
    records = [placed.record for placed in read_bundle(golden).records]

    assert [each.key for each in records if not validator(each.kind).is_valid(each.body)] == []
