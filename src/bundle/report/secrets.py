"""``xfer secrets template``: a TOML file to fill in, one line for each slot of a bundle."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

import msgspec

from bundle.errors import ExitCode
from bundle.model import Manifest, SecretSlot
from bundle.operations.secrets import SlotValues
from bundle.report.bundle import bundle_report, slot
from bundle.report.counting import incomplete
from bundle.report.escaping import escape_json
from bundle.report.model import Report, SlotState
from bundle.report.notes import missing_secret_lines
from bundle.report.parts import Limit, Lines
from bundle.trust.verdict import Verdict


def report(manifest: Manifest, file: str, warnings: Sequence[str] = (), verdict: Verdict | None = None) -> Report:
    """The report on a bundle, as the list of its secrets."""
    return bundle_report("secrets", manifest, file, warnings, verdict)


def report_of_sealed(
    manifest: Manifest, bundle: str, file: str, found: SlotValues, verdict: Verdict | None = None
) -> Report:
    """The report on secrets that were sealed; exit code 3 if the source does not show some of them."""
    done = msgspec.structs.replace(
        bundle_report("secrets", manifest, bundle, verdict=verdict),
        written=(file,),
        secrets=tuple(slot(each, _state(each, found)) for each in manifest.secrets),
        summary={"total": len(manifest.secrets), "accounted_for": len(manifest.secrets), "sealed": len(found.values)},
    )
    return incomplete(done) if found.missing else msgspec.structs.replace(done, exit_code=ExitCode.DONE, ok=True)


def _state(secret: SecretSlot, found: SlotValues) -> SlotState:
    return "supplied" if secret.slot in found.values else "outstanding"


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """The file, its values empty; or what was sealed."""
    if report.written:
        yield [f"sealed: {report.summary['sealed']} of {report.summary['total']} secrets, in {report.written[0]}"]
        yield missing_secret_lines(report, limit)
        return
    yield [
        "# Fill in the values you have and pass this file to `xfer import --secrets FILE`. Keep it private.",
        "# An empty text means: not supplied. Where a type is given, write a TOML value of it, or JSON as text.",
    ]
    for each in report.secrets:
        yield [f"# {each.type}; or set the variable {each.variable}", f'{_quoted(each.slot)} = ""']


def _quoted(text: str) -> str:
    # TOML reads JSON's strings, but no surrogate pairs, and no bare DEL.
    return escape_json(json.dumps(text, ensure_ascii=False))
