"""The published schemas, and that the reader's own rules agree with them."""

from __future__ import annotations

import io
from pathlib import Path

import msgspec
import pytest

from bundle.container import schema
from bundle.container.limits import Limits
from bundle.container.lines import decode_record
from bundle.container.reader import read_bundle
from bundle.model import Manifest
from support.bundles import GOLDEN, GOLDEN_EXTERNAL, GOLDEN_ORDERED, ROOT, SAMPLE, Json, bundle_bytes, validator
from support.forgery import Change, forged, refused, signed, unpacked, unsigned, with_line

GOOD_LINES = [
    unsigned(),
    unsigned(key="work-pool:x\ny"),
    unsigned(body={}),
    unsigned(body={"x": ""}, references=[{"pointer": "/x", "target": "flow:a"}]),
    unsigned(body={"x": "ab"}, references=[{"pointer": "/x", "target": "flow:a", "form": "hex", "offset": 2}]),
    unsigned(body={"x": None}, secrets=[{"pointer": "/x", "slot": "s", "type": "number"}]),
]


BAD_LINES = [
    unsigned(key="a"),
    unsigned(key="Flow:a"),
    unsigned(key="flow:"),
    unsigned(key=1),
    unsigned(body=[]),
    unsigned(body=None),
    unsigned(references={}),
    unsigned(references=[{"pointer": "/name"}]),
    unsigned(references=[{"pointer": "name", "target": "flow:a"}]),
    unsigned(references=[{"pointer": "/~2", "target": "flow:a"}]),
    unsigned(references=[{"pointer": "/name", "target": "nobody"}]),
    unsigned(references=[{"pointer": "/name", "target": "flow:a", "form": "other"}]),
    unsigned(references=[{"pointer": "/name", "target": "flow:a", "offset": -1}]),
    unsigned(references=[{"pointer": "/name", "target": "flow:a", "offset": "1"}]),
    unsigned(body={"x": None}, secrets=[{"pointer": "/x", "slot": "", "type": "string"}]),
    unsigned(body={"x": None}, secrets=[{"pointer": "/x", "slot": "s", "type": "null"}]),
    unsigned(body={"x": None}, secrets=[{"pointer": "x", "slot": "s", "type": "string"}]),
    unsigned(body={"x": None}, secrets=[None]),
]


def test_published_schemas_are_current() -> None:
    """The files in schemas/ are what the structs say."""
    published = {path.name: path.read_bytes() for path in (ROOT / "schemas").iterdir()}

    assert schema.generate() == {name: published[name] for name in schema.generate()}


def test_publish_writes_the_schemas(tmp_path: Path) -> None:
    """The files are made by one call."""
    schema.publish(tmp_path)

    assert {path.name for path in tmp_path.iterdir()} == {schema.MANIFEST, schema.RECORD}


def test_schemas_are_valid_and_open() -> None:
    """Both are draft 2020-12, and no object forbids new fields."""
    for name in (schema.MANIFEST, schema.RECORD):
        checker = validator(name)
        checker.check_schema(checker.schema)
        assert b'"additionalProperties": false' not in schema.load(name)


def test_installed_schemas_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package reads its own copy."""
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / schema.RECORD).write_bytes(b"{}")
    monkeypatch.setattr("importlib.resources.files", lambda _name: tmp_path)

    assert schema.load(schema.RECORD) == b"{}"


@pytest.mark.parametrize("golden", [GOLDEN, GOLDEN_EXTERNAL, GOLDEN_ORDERED])
def test_golden_manifest_fits_its_schema(golden: Path) -> None:
    """A golden bundle's manifest and records fit the published schemas."""
    members = unpacked(golden.read_bytes())
    records = b"".join(data for name, data in members.items() if name.startswith("resources/")).splitlines()

    assert validator(schema.MANIFEST).is_valid(msgspec.json.decode(members["manifest.json"]))
    assert all(validator(schema.RECORD).is_valid(msgspec.json.decode(line)) for line in records)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.pop("findings"),
        lambda m: m.update(format="1"),
        lambda m: m.update(content_digest="A" * 64),
        lambda m: m.update(members={}),
        lambda m: m.update(provenance=[]),
        lambda m: m["requires"].append({"version": "x", "reason": ""}),
        lambda m: m["requires"].append({"version": "1.0"}),
        lambda m: m["census"].update({"Flow": {"seen": 0, "exported": 0, "left_out": 0}}),
        lambda m: m["census"]["flow"].update(seen=-1),
        lambda m: m["census"]["flow"].update(seen=1.5),
        lambda m: m["census"]["flow"].pop("left_out"),
        lambda m: m["members"][0].update(name="x"),
        lambda m: m["members"][0].update(name="resources/000-" + "x" * 99 + "-0001.ndjson"),
        lambda m: m["members"][0].update(kind="X"),
        lambda m: m["members"][0].update(wave=-1),
        lambda m: m["members"][0].update(count=0),
        lambda m: m["members"][0].update(size=0),
        lambda m: m["members"][0].update(sha256=None),
        lambda m: m["order"][0].update(count=0),
        lambda m: m["order"][0].update(kinds="flow"),
        lambda m: m["secrets"][0].update(slot=""),
        lambda m: m["secrets"][0].update(resource="x"),
        lambda m: m["secrets"][0].update(pointer="x"),
        lambda m: m["secrets"][0].update(type="null"),
        lambda m: m["findings"].append({"code": "", "key": ""}),
        lambda m: m["findings"].append({"code": "x", "key": "", "pointer": "x"}),
        lambda m: m["left_out"].append({"kind": "flow", "reason": "", "count": 0, "names": []}),
        lambda m: m["left_out"].append({"kind": "flow", "reason": "x", "count": -1, "names": []}),
        lambda m: m["left_out"].append({"kind": "flow", "reason": "x", "count": 0, "names": [1]}),
    ],
)
def test_manifest_rules_agree_with_the_schema(change: Change) -> None:
    """What the published schema of the manifest refuses, the reader refuses, and the other way round."""
    manifest = msgspec.json.decode(unpacked(bundle_bytes(*SAMPLE))["manifest.json"])
    assert validator(schema.MANIFEST).is_valid(manifest)
    change(manifest)

    assert not validator(schema.MANIFEST).is_valid(manifest)
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(manifest, schema.strict(Manifest))
    refused(forged(change))


@pytest.mark.parametrize("value", [*GOOD_LINES, *BAD_LINES], ids=repr)
def test_record_rules_agree_with_the_schema(value: Json) -> None:
    """The fast check of a record takes what the published schema takes, and no more."""
    line = signed(value)
    good = value in GOOD_LINES
    raw = msgspec.json.decode(line)

    assert validator(schema.RECORD).is_valid(raw) is good
    if not good:
        refused(with_line(line))
    elif value["key"] == "flow:a":
        assert read_bundle(io.BytesIO(with_line(line))).records[0].record.body == value["body"]
    else:
        assert decode_record(line, Limits(), newer=False, ordered=False).key == value["key"]
