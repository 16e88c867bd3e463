"""The bundle itself in a report: what export, inspect, verify and secrets share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from bundle.errors import ExitCode
from bundle.model import NOT_EXPORTED, LeftOut, Manifest, SecretSlot
from bundle.record.secrets import variable_name
from bundle.report.counting import CENSUS, records_by_kind, summary_of
from bundle.report.model import Contents, Report, Slot, SlotState
from bundle.report.parts import SHOWN, Lines, file_name, rest_of, short
from bundle.report.signatures import signature_lines
from bundle.trust.verdict import Verdict


def bundle_report(
    command: str,
    manifest: Manifest,
    file: str | None,
    warnings: Sequence[str] = (),
    verdict: Verdict | None = None,
) -> Report:
    """The report on a bundle; exit code 3 unless all that was seen at export is in it or left out for a reason."""
    kinds = {
        kind: {"total": count.seen, "exported": count.exported, "left_out": count.left_out}
        for kind, count in sorted(manifest.census.items())
    }
    summary = summary_of(kinds, CENSUS)
    is_complete = (
        summary["accounted_for"] == summary["total"] and summary["exported"] == records_by_kind(manifest).total()
    )
    return Report(
        command=command,
        exit_code=ExitCode.DONE if is_complete else ExitCode.INCOMPLETE,
        ok=is_complete,
        summary=summary,
        kinds=kinds,
        bundle=contents(manifest, file),
        signatures=verdict,
        secrets=tuple(slot(each, "placeholder") for each in manifest.secrets),
        findings=manifest.findings,
        left_out=manifest.left_out,
        warnings=tuple(warnings),
    )


def not_exported(left_out: Iterable[LeftOut]) -> tuple[LeftOut, ...]:
    """What should have been exported, and could not be read."""
    return tuple(each for each in left_out if each.reason in NOT_EXPORTED)


def contents(manifest: Manifest, file: str | None) -> Contents:
    """What is reported of the bundle as a file."""
    return Contents(
        file, manifest.format, manifest.content_digest, manifest.provenance, manifest.selection, manifest.order
    )


def slot(secret: SecretSlot, state: SlotState) -> Slot:
    """What is reported of a secret."""
    return Slot(secret.slot, secret.resource, secret.type, variable_name(secret.slot), state)


def bundle_blocks(report: Report) -> Iterator[Lines]:
    """What was verified; then, apart from it, what the bundle states, which anybody can have written."""
    bundle = report.bundle
    if bundle is None:
        return
    yield [
        f"bundle:          {file_name(report)}",
        f"format:          {bundle.format}",
        f"content digest:  {bundle.content_digest}",
        *signature_lines(report),
    ]
    stated = [*bundle.provenance.items(), *((f"selection {name}", value) for name, value in bundle.selection.items())]
    if stated:
        yield [
            "stated by the bundle, not verified:",
            *(f"  {short(name)}: {short(value)}" for name, value in stated[:SHOWN]),
            *rest_of(stated, SHOWN),
        ]
