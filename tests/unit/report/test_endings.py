"""Reports of what an error or an interruption ended."""

from __future__ import annotations

import json

from bundle.errors import BundleError
from bundle.report import endings
from bundle.report import json as as_json
from bundle.trust.reasons import Distrusted, Reason
from support.reports import imported, outcome


def test_interrupted_import_keeps_its_account() -> None:
    """An interrupted run is exit code 130, with everything counted."""
    report = endings.interrupted(imported(outcome("flow:a", "failed", "not-tried")))
    assert (report.exit_code, report.summary["failed"]) == (130, 1)
    assert report.error is not None


def test_report_of_an_error() -> None:
    """An error is a report too: its kind, message and hint; and which of several reasons, where its kind has them."""
    report = endings.failed("export", 1, endings.problem_of(BundleError("no", hint="do")))
    assert json.loads(as_json.render(report))["error"] == {
        "code": "BundleError",
        "message": "no",
        "hint": "do",
        "reason": None,
    }
    assert endings.problem_of(Distrusted("env.pxb", Reason.SIGNATURE_WRONG)).reason == "signature-wrong"
