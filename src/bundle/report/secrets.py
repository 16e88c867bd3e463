"""``xfer secrets template``: a TOML file to fill in, one line for each slot of a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from bundle.model import Manifest
from bundle.report.bundle import bundle_report
from bundle.report.escaping import escape_json
from bundle.report.model import Report
from bundle.report.parts import Limit, Lines
from bundle.trust.verdict import Verdict


def report(manifest: Manifest, file: str, warnings: Sequence[str] = (), verdict: Verdict | None = None) -> Report:
    """The report on a bundle, as the list of its secrets."""
    return bundle_report("secrets", manifest, file, warnings, verdict)


def layout(report: Report, _limit: Limit) -> Iterator[Lines]:
    """The file, its values empty."""
    yield [
        "# Fill in the values you have and pass this file to `xfer import --secrets FILE`. Keep it private.",
        "# An empty text means: not supplied. Where a type is given, write a TOML value of it, or JSON as text.",
    ]
    for slot in report.secrets:
        yield [f"# {slot.type}; or set the variable {slot.variable}", f'{_quoted(slot.slot)} = ""']


def _quoted(text: str) -> str:
    # TOML reads JSON's strings, but no surrogate pairs, and no bare DEL.
    return escape_json(json.dumps(text, ensure_ascii=False))
