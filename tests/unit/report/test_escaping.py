"""Nothing from a bundle or a server reaches a terminal as it is."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bundle.model import Finding, LeftOut
from bundle.plan.execution_surface import Surfaces
from bundle.report import escaping, inspect, text
from bundle.report import json as as_json
from support.reports import imported, manifest, outcome

UNSAFE = "\x00\x07\x1b\r\n\t\x7f\x85\x9b\u200e\u2028\u202e\u2066"


def test_unsafe_characters_are_written_out() -> None:
    """Control and bidirectional characters become their code points; letters of any script stay."""
    assert escaping.escape(UNSAFE) == ("\\x00\\x07\\x1b\\x0d\\x0a\\x09\\x7f\\x85\\x9b\\u200e\\u2028\\u202e\\u2066")
    assert escaping.escape("ünïcode ☃ 漢字 \U0001f680 [bold]") == "ünïcode ☃ 漢字 \U0001f680 [bold]"
    assert escaping.escape_lines("a\x1b\nb") == "a\\x1b\nb"


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_unsafe_character_survives(name: str, detail: str) -> None:
    """Whatever a bundle says, text and JSON hold no unsafe character, and the JSON means the same."""
    key = f"flow:{name}"
    findings = (Finding("secret-suspected", key, "/x", detail), Finding(name, key))
    left_out = (LeftOut("flow", name, 0, (detail,)),)
    report = imported(
        outcome(key, "failed", "rejected", detail=detail),
        findings=findings,
        left_out=left_out,
        provenance={name: detail},
    )
    for shown in (
        text.render(report),
        as_json.render(report),
        text.render(
            inspect.report(manifest(key, findings=findings, provenance={name: detail}), detail, Surfaces({}, ()))
        ),
    ):
        assert escaping.escape_lines(shown) == shown
    document = json.loads(as_json.render(report))
    assert (document["resources"][0]["key"], document["resources"][0]["detail"]) == (key, detail)
