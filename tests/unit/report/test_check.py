"""The report of the checks before a transfer."""

from __future__ import annotations

from bundle.operations.preflight import Check
from bundle.report import check, text
from bundle.report.model import Side

SOURCE, DESTINATION = Side("dev", "http://dev.test/api"), Side("prod", "http://prod.test/api")
CHECKS = (
    Check("source", "connection", "ok", "answered in 5 ms"),
    Check("destination", "TLS", "warning", "not encrypted", "use https"),
    Check(None, "fields", "ok", "all are supported"),
)


def test_checks_are_listed_by_server() -> None:
    """Each server has its checks with a glyph, then come those of both; a hint is under its check."""
    report = check.report(CHECKS, {"source": SOURCE, "destination": DESTINATION}, {})
    assert (report.exit_code, report.ok) == (0, True)
    assert text.render(report) == (
        "source: dev\n  ✓ connection: answered in 5 ms\n\n"
        "destination: prod\n  ! TLS: not encrypted\n      use https\n\n"
        "source to destination:\n  ✓ fields: all are supported\n\n"
        "2 ok, 1 warning, 0 failed"
    )


def test_a_server_that_cannot_be_used_is_exit_code_5() -> None:
    """One failed check is enough; warnings are not."""
    failed = Check("source", "connection", "failed", "no answer", "start it")
    report = check.report((*CHECKS, failed), {"source": SOURCE}, {})
    assert (report.exit_code, report.ok) == (5, False)
    assert report.summary == {"ok": 2, "warning": 1, "failed": 1}
