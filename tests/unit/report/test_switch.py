"""The report of what was switched on or off."""

from __future__ import annotations

import msgspec

from bundle.model import Header
from bundle.operations.cutover import Switched
from bundle.report import switch, text
from bundle.report.model import NextRuns
from bundle.report.records import Subject
from support.reports import DESTINATION, manifest

DONE = Switched("deployment:etl/a", "deployment", "succeeded", "switched-on", switches={"paused": False})
ALREADY = Switched("work-pool:k8s", "work-pool", "skipped", "already")
MISSING = Switched("automation:page", "automation", "failed", "missing")


def test_activation_shows_the_next_runs() -> None:
    """What was switched on is named, what was on already is counted, and the next runs are those of each schedule."""
    runs = (
        NextRuns("deployment:etl/a", "cron 0 3 * * *", ("2026-01-02T03:00+00:00",)),
        NextRuns("deployment:etl/a", "once", ()),
        NextRuns("deployment:etl/a", "rrule …", None),
    )
    subject = Subject("activate", manifest("deployment:etl/a", "work-pool:k8s"), "env.pxb", DESTINATION)

    account = switch.report(subject, [DONE, ALREADY], dry_run=False)
    shown = text.render(msgspec.structs.replace(account, next_runs=runs))

    assert shown.startswith("Switched on in prod (http://prod.test/api) what is on in env.pxb\n")
    assert "\n\nalready (1): nothing to switch\n\nswitched-on (1): " in shown
    assert shown.partition("next runs")[2].split("\n\n")[0].splitlines() == [
        ", by schedule (3):",
        "  deployment:etl/a  cron 0 3 * * *",
        "      2026-01-02T03:00+00:00",
        "  deployment:etl/a  once",
        "      none: the schedule has ended",
        "  deployment:etl/a  rrule …",
        "      unknown",
    ]


def test_deactivation_says_how_to_undo_it() -> None:
    """The server is the source; where its state was kept, the title has the command that restores it."""
    stored = manifest("deployment:etl/a")
    for file, undo in (("state.pxb", "; to undo: xfer activate state.pxb --to prod"), (None, "")):
        subject = Subject("deactivate", stored, file, DESTINATION)
        report = switch.report_of_source(switch.report(subject, [DONE], dry_run=False), Header(census={}), ())
        assert (report.source, report.destination) == (DESTINATION, None)
        assert text.render(report).splitlines()[0] == f"Switched off in prod (http://prod.test/api){undo}"


def test_what_could_not_be_switched_is_incomplete() -> None:
    """Something that is missing, or a source that changed while it was read, is exit code 3."""
    subject = Subject("activate", manifest("automation:page"), "env.pxb", DESTINATION)
    failed = switch.report(subject, [DONE, MISSING], dry_run=False)
    changed = switch.report_of_source(switch.report(subject, [DONE], dry_run=False), Header(census={}), ("flow",))
    assert (failed.exit_code, changed.exit_code) == (3, 3)
    assert {each.key: each.action for each in failed.resources} == {
        "deployment:etl/a": "switch",
        "automation:page": "blocked",
    }
