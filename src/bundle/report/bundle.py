"""The bundle itself in a report: what was verified, and what it says of itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bundle.errors import ExitCode
from bundle.model import Manifest, SecretSlot
from bundle.record.secrets import variable_name
from bundle.report.counting import FATES, count_records, sums
from bundle.report.escaping import escape
from bundle.report.model import Contents, Report, Slot, SlotState
from bundle.report.parts import SHOWN, Lines, file_name, rest_of, short


def bundle_lines(report: Report) -> Iterator[Lines]:
    """What was verified; then, apart from it, what the bundle says of itself, which anybody can have written."""
    bundle = report.bundle
    if bundle is None:
        return
    yield [
        f"bundle:          {file_name(bundle.file)}",
        f"format:          {escape(bundle.format)}",
        f"content digest:  {escape(bundle.content_digest)}",
    ]
    said = [*bundle.provenance.items(), *((f"selection {name}", value) for name, value in bundle.selection.items())]
    if said:
        yield [
            "the bundle says of itself:",
            *(f"  {short(name)}: {short(value)}" for name, value in said[:SHOWN]),
            *rest_of(said, SHOWN),
        ]


def described(command: str, manifest: Manifest, file: str | None, warnings: Sequence[str] = ()) -> Report:
    """The report of a command that looks at a bundle: export, inspect, verify."""
    kinds = {
        kind: {"total": count.seen, "exported": count.exported, "left_out": count.left_out}
        for kind, count in sorted(manifest.census.items())
    }
    summary = sums(kinds, FATES)
    is_whole = summary["accounted_for"] == summary["total"] and summary["exported"] == count_records(manifest)
    code = ExitCode.DONE if is_whole else ExitCode.INCOMPLETE
    return Report(
        command=command,
        exit_code=code,
        ok=code == ExitCode.DONE,
        summary=summary,
        kinds=kinds,
        bundle=contents(manifest, file),
        secrets=tuple(slot_of(each, "placeholder") for each in manifest.secrets),
        findings=manifest.findings,
        left_out=manifest.left_out,
        warnings=tuple(warnings),
    )


def contents(manifest: Manifest, file: str | None) -> Contents:
    """The bundle itself, in a report."""
    return Contents(
        file, manifest.format, manifest.content_digest, manifest.provenance, manifest.selection, manifest.order
    )


def slot_of(secret: SecretSlot, state: SlotState) -> Slot:
    return Slot(secret.slot, secret.resource, secret.type, variable_name(secret.slot), state)
