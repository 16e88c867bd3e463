"""``xfer demo``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bundle.errors import ExitCode
from bundle.model import Manifest
from bundle.operations.demo import Check as Claim
from bundle.operations.preflight import Check
from bundle.report.bundle import contents
from bundle.report.model import Report
from bundle.report.parts import Limit, Lines


def report(claims: Sequence[Claim], manifest: Manifest, file: str | None) -> Report:
    """The report of a demo: exit code 1 unless every claim is true; ``file`` is the bundle, if it was kept."""
    checks = tuple(Check(None, "claim", "ok" if each.holds else "failed", each.statement) for each in claims)
    failed = sum(not each.holds for each in claims)
    return Report(
        command="demo",
        exit_code=ExitCode.FAILED if failed else ExitCode.DONE,
        ok=not failed,
        summary={"ok": len(claims) - failed, "failed": failed},
        bundle=contents(manifest, file),
        checks=checks,
    )


def layout(report: Report, _limit: Limit) -> Iterator[Lines]:
    """Each claim, and where the bundle is."""
    yield [f"{'passed' if each.verdict == 'ok' else 'FAILED'}  {each.message}" for each in report.checks]
    if report.bundle is not None and report.bundle.file is not None:
        yield [f"the bundle: {report.bundle.file}"]
