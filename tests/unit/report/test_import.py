"""The report of an import."""

from __future__ import annotations

from bundle.plan.actions import Plan
from bundle.report import import_, text
from bundle.report.next_steps import with_next_steps
from bundle.report.records import Subject
from support.reports import DESTINATION, SLOT, action, imported, manifest, outcome


def test_failures_can_be_forgiven() -> None:
    """With ``--on-error ignore`` a failure costs no exit code, but a server that is not there does; both are told."""
    for reason, code in (("rejected", 0), ("unreachable", 5)):
        outcomes = [outcome("flow:a", "failed", reason)]
        plan = Plan((action("flow:a"),))
        run = Subject("import", manifest("flow:a"), "env.pxb", DESTINATION)
        report = import_.report(run, plan, outcomes, ignores_failures=True)
        assert (report.exit_code, report.ok, report.summary["failed"]) == (code, False, 1)
        assert reason in text.render(report)


def test_every_outcome_that_is_not_as_wanted_is_named() -> None:
    """The text has the key, the reason, its meaning and the detail of what did not go well."""
    report = imported(
        outcome("flow:a", "failed", "rejected", detail="POST /flows/: 422"),
        outcome("flow:b", "skipped", "tier-limit"),
        outcome("flow:c", "succeeded", "created", dropped=("labels",)),
    )
    shown = text.render(report)
    assert "rejected (1): refused by the destination\n  flow:a: POST /flows/: 422\n" in shown
    assert "tier-limit (1)" in shown
    assert "not sent (1):\n  flow:c: labels\n" in shown


def test_an_inert_import_says_how_to_go_on() -> None:
    """The command to switch on is given, and that it takes the same selection and overlay."""
    run = Subject("import", manifest("flow:a"), "env.pxb", DESTINATION, inert=True)
    done = import_.report(run, Plan((action("flow:a"),)), [outcome("flow:a", "succeeded", "created")])

    assert "with the same\nselection and overlay as here:\n  xfer activate env.pxb --to prod\n" in text.render(done)


def test_commands_to_copy_name_no_file_that_is_not_there() -> None:
    """Where the bundle is in no file, as after a transfer without one, commands say FILE in its place."""
    stored = manifest("block:secret/db", secrets=(SLOT,))
    run = Subject("import", stored, None, DESTINATION, inert=True)
    created = outcome("block:secret/db", "succeeded", "created-without-secret", missing_secrets=(SLOT.slot,))
    done = import_.report(run, Plan((action("block:secret/db"),)), [created])

    shown = text.render(with_next_steps(done, [], []))

    assert "xfer activate FILE --to prod\n" in shown
    assert "xfer secrets template FILE > secrets.toml\n" in shown
