"""Manifest and record lines: every statement is compared, and newer versions are told apart."""

from __future__ import annotations

import io

import msgspec
import pytest

from bundle.container.limits import Limits
from bundle.container.lines import too_many_values
from bundle.container.reader import open_bundle, read_bundle
from bundle.errors import UnsupportedFormat
from bundle.record.canonical import encode, sha256_hex
from support.bundles import SAMPLE, Json, bundle_bytes, nested
from support.forgery import Change, forged, refused, resummed, signed, unpacked, unsigned, with_line


def newer(manifest: Json) -> None:
    manifest.update(format="1.7", extra={"x": 1})
    manifest["members"][0]["extra"] = True


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda m: m.update(content_digest="0" * 64), "content digest differs"),
        (lambda m: m.update(content_digest="0" * 63), "matching"),
        (lambda m: m["members"][0].update(sha256="0" * 64), "SHA-256 differs"),
        (lambda m: m["members"][0].update(sha256="A" * 64), "matching"),
        (lambda m: m["members"][0].update(count=1), "dependency order"),
        (lambda m: m["members"][0].update(size=10**6), "frame holds"),
        (lambda m: m["members"][0].update(size=m["members"][0]["size"] - 1), "header"),
        (lambda m: m["members"][0].update(kind="block", name="resources/000-block-0001.ndjson"), "order"),
        (lambda m: m["members"][0].update(name="../x"), "matching"),
        (lambda m: m["members"].reverse(), "out of order"),
        (lambda m: m["members"].append(m["members"][-1]), "out of order"),
        (lambda m: m.update(members=[]), "order"),
        (lambda m: m["order"][0].update(count=9), "dependency order"),
        (lambda m: m["order"].pop(), "dependency order"),
        (lambda m: m["secrets"].clear(), "other secrets"),
        (lambda m: m["secrets"][0].update(slot="x"), "other secrets"),
        (lambda m: m["secrets"].append(m["secrets"][0]), "no record has"),
        (lambda m: m["census"]["flow"].update(seen=9), "census"),
        (lambda m: m["census"]["flow"].update(seen=3, left_out=1), "census"),
        (lambda m: m["census"].update(X={"seen": 0, "exported": 0, "left_out": 0}), "matching"),
        (lambda m: m["left_out"].append({"kind": "flow", "reason": "x", "count": 1, "names": []}), "census"),
        (lambda m: m["findings"].append({"code": "x"}), "required"),
        (lambda m: m["findings"].append({"code": "x", "key": "flow:a", "detail": ""}), "fields"),
        (lambda m: m["left_out"].append({"kind": "flow", "reason": "x", "count": 0}), "names"),
        (lambda m: m.update(format="1.1", external=["flow:z"]), "does not require"),
        (lambda m: m.update(extra=1), "fields"),
        (lambda m: m.pop("census"), "required"),
        (lambda m: m.update(format="0.9"), "not a version"),
        (lambda m: m.update(format=1), "format"),
        (lambda m: m.pop("format"), "format"),
        (lambda m: m.update(format="1.0\n"), "not a version"),
    ],
)
def test_a_manifest_that_disagrees_is_refused(change: Change, why: str) -> None:
    """Every statement of the manifest is compared, even when all the sums were made to fit."""
    refused(forged(change), why)


def test_a_count_that_disagrees_is_refused() -> None:
    """The number of lines is compared, also when the whole account was changed with it."""

    def change(manifest: Json) -> None:
        manifest["members"][0]["count"] = 3
        manifest["order"][0]["count"] = 3
        manifest["census"]["flow"] = {"seen": 3, "exported": 3, "left_out": 0}

    refused(forged(change), "does not hold 3 lines")


def test_ambiguous_json_is_refused() -> None:
    """Duplicate keys, white space, odd spellings and what is not JSON are refused in the manifest."""
    members = unpacked(bundle_bytes(*SAMPLE))
    good = members["manifest.json"]
    for bad in (
        good.replace(b"{", b'{"census":{},', 1),
        good + b"\n",
        b"\xef\xbb\xbf" + good,
        good.replace(b'"1.0"', b'"1\\u002e0"'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":1e0}'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":NaN}'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":"\xff"}'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":"\\ud800"}'),
        good.replace(b'"provenance":{}', b'"provenance":{"a":' + b"1" * 5000 + b"}"),
        good.replace(b'"provenance":{}', b'"provenance":{"a":' + b"[" * 100 + b"]" * 100 + b"}"),
        good.replace(b'"provenance":{}', b'"provenance":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
        b"[]",
        b"null",
        b"x",
    ):
        assert bad != good
        refused(resummed(members | {"manifest.json": bad}), "manifest")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"x",
        b"null",
        signed(unsigned()).replace(b'"a"', b'"b"'),
        signed(unsigned()).replace(b"{", b'{"body":{},', 1),
        signed(unsigned()).replace(b",", b", ", 1),
        signed(unsigned(extra=1)),
        signed(unsigned(references=[{"pointer": "/name", "target": "flow:a", "offset": 0}])),
        signed(unsigned(key="block:a")),
        signed(unsigned(references=[{"pointer": "/none", "target": "flow:a"}])),
        signed(unsigned(references=[{"pointer": "/name", "target": "flow:b"}])),
        signed(unsigned(references=[{"pointer": "", "target": "flow:a", "form": "member"}])),
        signed(unsigned(references=[{"pointer": "/name", "target": "flow:a", "form": "member"}])),
        signed(
            unsigned(
                body={"flow:aflow:a": 1},
                references=[
                    {"pointer": "/flow:aflow:a", "target": "flow:a", "form": "member"},
                    {"pointer": "/flow:aflow:a", "target": "flow:a", "form": "member", "offset": 6},
                ],
            )
        ),
        signed(unsigned(body={"x": None}, secrets=[{"pointer": "/x", "slot": "s", "type": "string"}] * 2)),
        signed(unsigned(body={"x": nested(70)})),
        b'{"body":{"x":' + b"[" * 2000 + b"]" * 2000 + b'},"digest":"","key":"flow:a","references":[],"secrets":[]}',
    ],
    ids=lambda line: repr(line[:60]),
)
def test_odd_record_lines_are_refused(line: bytes) -> None:
    """A line is refused by member, line number and reason, even when all the sums were made to fit."""
    message = refused(with_line(line)).message

    assert message.startswith(("resources/000-flow-0001.ndjson, line 1: ", "references: ", "manifest.json: "))


def test_the_order_of_a_source_is_not_taken_without_its_requirement() -> None:
    """Members out of order are refused where older readers were not told of them."""
    line = b'{"body":{"name":{"b":1,"a":2}},"digest":"%s","key":"flow:a","references":[],"secrets":[]}'
    value = unsigned(body={"name": {"b": 1, "a": 2}})
    data = with_line(line % sha256_hex(encode(value)).encode())
    required = [{"version": "1.2", "reason": "order"}]

    refused(forged(lambda manifest: manifest.update(format="1.2"), data), "canonical form")
    taken = forged(lambda manifest: manifest.update(format="1.2", requires=required), data)
    assert list(read_bundle(io.BytesIO(taken)).records[0].record.body["name"]) == ["b", "a"]


@pytest.mark.parametrize("text", ["," * 2000, '",[{' * 500, "\\\\" * 999 + '",' * 999, "\n,"], ids=len)
def test_what_stands_in_a_text_is_no_value(text: str) -> None:
    """Commas and brackets inside texts do not count as values; those outside do, whatever texts are around them."""
    limits = Limits(values=50)

    assert not too_many_values(msgspec.json.encode({"a": text, text: [text] * 9}), limits)
    assert too_many_values(msgspec.json.encode({"a": text, text: [text] * 60}), limits)
    assert too_many_values(msgspec.json.encode([1] * 60 + [text]), limits)


def test_a_newer_major_version_is_refused() -> None:
    """The version needed and the reason are told, and that an upgrade helps."""

    def future(manifest: Json) -> None:
        manifest.update(format="2.1", requires=[{"version": "2.0", "reason": "sealed\x1b secrets"}], order="new")

    with pytest.raises(UnsupportedFormat, match=r"reads format 2\.0 \('sealed.x1b secrets'\); this one") as caught:
        open_bundle(io.BytesIO(forged(future, canonical=False)))
    assert "upgrade" in str(caught.value.hint)


def test_a_newer_major_version_may_say_why_in_its_own_way() -> None:
    """A newer major version is named even when its reasons cannot be read."""
    with pytest.raises(UnsupportedFormat, match=r"format 2\.0; this one"):
        open_bundle(io.BytesIO(forged(lambda manifest: manifest.update(format="2.0", requires={"x": 1}))))


def test_a_newer_requirement_is_refused() -> None:
    """A newer minor version that must be understood is refused."""
    requires = [{"version": "1.7", "reason": "why"}, {"version": "1.10", "reason": "more"}]
    with pytest.raises(UnsupportedFormat, match=r"format 1\.10 \('why'; 'more'\)"):
        open_bundle(io.BytesIO(forged(lambda manifest: manifest.update(format="1.12", requires=requires))))


def test_a_newer_minor_version_is_read_with_a_warning() -> None:
    """Unknown fields of the manifest are passed over, told, and kept in its bytes."""
    reader = open_bundle(io.BytesIO(forged(newer)))

    assert tuple(reader.records()) == SAMPLE
    assert ["1.7" in warning for warning in reader.warnings] == [True]
    assert b'"extra":{"x":1}' in reader.manifest_bytes


def test_a_newer_minor_version_may_have_new_record_fields() -> None:
    """Unknown fields of a record are covered by its digest and passed over."""
    line = signed(unsigned(extra={"digest": "x"}))
    data = forged(newer, with_line(line))

    assert read_bundle(io.BytesIO(data)).records[0].record.key == "flow:a"
    refused(forged(newer, with_line(line.replace(b'"x"', b'"y"'))), "digest")
    refused(forged(newer, with_line(line.replace(b'{"x"', b'{ "x"').replace(b'"extra":{', b'"extra":{ '))), "canonical")


def test_a_newer_minor_version_is_still_canonical() -> None:
    """A newer minor version is no way around the one encoding."""
    refused(forged(newer, canonical=False), "canonical")
