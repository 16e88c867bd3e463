"""The report of a transfer."""

from __future__ import annotations

import msgspec

from bundle.model import Count, Header, LeftOut
from bundle.report import text, transfer
from bundle.report.model import Side
from support.reports import imported, outcome

HEADER = Header(census={})
SOURCE = Side("dev", "http://dev.test/api")
SUMMARY = (
    "total",
    "accounted_for",
    "create",
    "update",
    "unchanged",
    "different",
    "unsupported",
    "blocked",
    "not_selected",
    "secrets_outstanding",
)
SERVERS = "dev (http://dev.test/api) to prod (http://prod.test/api)"


def test_a_transfer_names_both_servers() -> None:
    """The report is that of the import, under a title with source and destination."""
    done = msgspec.structs.replace(imported(outcome("flow:a", "succeeded", "created")), command="transfer")
    report = transfer.report(done, SOURCE, HEADER, (), ["mind the schedules"])
    assert (report.exit_code, report.source) == (0, SOURCE)
    assert text.render(report).startswith(f"Transferred {SERVERS}\n\nwarning: mind the schedules\n\n")


def test_a_trial_of_a_transfer_is_a_plan() -> None:
    """With --dry-run the title says that it is a plan."""
    done = imported(outcome("flow:a", "succeeded", "created"))
    planned = tuple(msgspec.structs.replace(each, state=None) for each in done.resources)
    done = msgspec.structs.replace(done, command="transfer", resources=planned, summary=dict.fromkeys(SUMMARY, 1))
    assert text.render(transfer.report(done, SOURCE, HEADER, ())).startswith(f"Plan to transfer {SERVERS}\n")


def test_a_source_that_changed_makes_it_incomplete() -> None:
    """Kinds that changed while they were read are named, and exit code 3 replaces 0."""
    done = imported(outcome("flow:a", "succeeded", "created"))
    report = transfer.report(done, SOURCE, HEADER, ("flow",))
    assert (report.exit_code, report.ok) == (3, False)
    assert "changed during the export, so the bundle may mix old and new: flow\n" in text.render(report)


def test_what_could_not_be_exported_makes_it_incomplete() -> None:
    """A transfer without some of the source is not whole, however well the import went."""
    done = imported(outcome("flow:a", "succeeded", "created"))
    header = Header(census={"automation": Count(0, 0, 0)}, left_out=(LeftOut("automation", "unreadable", 0),))
    report = transfer.report(done, SOURCE, header, ())
    assert (report.exit_code, report.ok) == (3, False)
    assert "left out at export, unreadable" in text.render(report)
