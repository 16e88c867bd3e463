"""bundle.report: the account that is given, in numbers, text and JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.apply.outcomes import Outcome
from bundle.errors import BundleError
from bundle.model import Count, Finding, LeftOut, Manifest, Member, SecretSlot, Wave
from bundle.plan.actions import Action, Difference, Plan
from bundle.plan.execution_surface import Surface, Surfaces
from bundle.report import bundle as bundle_report
from bundle.report import endings, escaping, schema, text
from bundle.report import export as export_report
from bundle.report import import_ as import_report
from bundle.report import json as as_json
from bundle.report import plan as plan_report
from bundle.report.counting import has_differences
from bundle.report.model import Report, Side
from bundle.report.records import Subject

ROOT = Path(__file__).parents[3]
DESTINATION = Side("prod", "http://prod.test/api")
SLOT = SecretSlot("block:secret/db#/data/value", "block:secret/db", "/data/value", "string")


def manifest(*keys: str, **fields: Any) -> Manifest:
    """A manifest that says these keys are inside."""
    kinds: dict[str, int] = {}
    for key in keys:
        kind = key.partition(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    members = tuple(
        Member(f"resources/000-{kind}-0001.ndjson", kind, 0, count, 1, "0" * 64) for kind, count in kinds.items()
    )
    known = {
        "format": "1.0",
        "requires": (),
        "content_digest": "0" * 64,
        "census": {kind: Count(count, count, 0) for kind, count in kinds.items()},
        "members": members,
        "order": (Wave(0, tuple(kinds), len(keys)),),
        "secrets": (),
        "left_out": (),
        "findings": (),
        "selection": {},
        "provenance": {"source": "http://a.test/api"},
    }
    return Manifest(**{**known, **fields})


def outcome(key: str, state: Any, reason: str, **more: Any) -> Outcome:
    return Outcome(key, key.partition(":")[0], state, reason, **more)


def action(key: str, verb: Any = "create", reason: str = "created", **more: Any) -> Action:
    return Action(key, key.partition(":")[0], verb, reason, **more)


def imported(*outcomes: Outcome, keys: tuple[str, ...] | None = None, **fields: Any) -> Report:
    """The report of an import of exactly these outcomes, or of a bundle with other ``keys``."""
    stored = manifest(*(keys or [each.key for each in outcomes]), **fields)
    actions = Plan(tuple(action(each.key) for each in outcomes))
    return import_report.report(Subject("import", stored, "env.pxb", DESTINATION), actions, outcomes)


def last_line(report: Report) -> str:
    return text.render(report).splitlines()[-1]


def test_last_line_when_all_is_well() -> None:
    """The sum names succeeded, skipped and failed, and nothing is said of what is blocked."""
    outcomes = [outcome(f"flow:{number}", "succeeded", "created") for number in range(25)]
    assert last_line(imported(*outcomes)) == "25 succeeded, 0 skipped, 0 failed (25 of 25 accounted for)"


def test_last_line_with_something_blocked() -> None:
    """What is blocked is a number of its own, and part of the sum."""
    report = imported(
        outcome("work-pool:push", "skipped", "push-pool"),
        outcome("flow:etl", "succeeded", "created"),
        outcome("deployment:etl/a", "blocked", "waits-for", waits_for=("work-pool:push",)),
    )
    assert last_line(report) == "1 succeeded, 1 skipped, 0 failed, 1 blocked (3 of 3 accounted for)"
    assert (report.exit_code, report.ok) == (3, False)


@pytest.mark.parametrize(
    "outcomes",
    [
        [outcome("flow:a", "succeeded", "created")],
        [outcome("flow:a", "succeeded", "created"), outcome("flow:a", "succeeded", "created")],
        [outcome("flow:a", "succeeded", "created"), outcome("variable:b", "succeeded", "created")],
    ],
)
def test_sum_that_does_not_add_up_is_incomplete(outcomes: list[Outcome]) -> None:
    """A record that ends nowhere, twice, or as another kind makes the exit code 3."""
    assert imported(*outcomes, keys=("flow:a", "flow:b")).exit_code == 3


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ([("succeeded", "created"), ("skipped", "exists-same")], 0),
        ([("skipped", "exists-differs")], 0),
        ([("succeeded", "created"), ("failed", "rejected")], 3),
        ([("succeeded", "created"), ("failed", "unreachable")], 3),
        ([("skipped", "exists-same"), ("blocked", "waits-for")], 3),
        ([("failed", "unreachable"), ("failed", "not-tried")], 5),
        ([("failed", "unreachable"), ("failed", "rejected")], 3),
        ([], 0),
    ],
)
def test_exit_code_of_an_import(states: list[tuple[str, str]], code: int) -> None:
    """Succeeded and skipped are 0; failed and blocked are 3; a server that is not there at all is 5."""
    report = imported(*(outcome(f"flow:{number}", *state) for number, state in enumerate(states)))
    assert report.exit_code == code


def test_failures_can_be_forgiven() -> None:
    """With ``--on-error ignore`` a failure costs no exit code, but a server that is not there does; both are told."""
    for reason, code in (("rejected", 0), ("unreachable", 5)):
        outcomes = [outcome("flow:a", "failed", reason)]
        plan = Plan((action("flow:a"),))
        run = Subject("import", manifest("flow:a"), "env.pxb", DESTINATION)
        report = import_report.report(run, plan, outcomes, forgives=True)
        assert (report.exit_code, report.ok, report.summary["failed"]) == (code, False, 1)
        assert reason in text.render(report)


def test_an_update_says_what_became_of_secrets() -> None:
    """A secret that was not supplied is kept, one that was is supplied, and one still marked is outstanding."""
    slots = [SecretSlot(f"block:s/a#/data/{name}", "block:s/a", f"/data/{name}", "string") for name in "abc"]
    done = outcome("block:s/a", "succeeded", "updated", missing_secrets=(slots[2].slot,))
    run = Subject("import", manifest("block:s/a", secrets=tuple(slots)), None, DESTINATION, {slots[1].slot})
    report = import_report.report(run, Plan((action("block:s/a", "update", "updated"),)), [done])
    assert [each.state for each in report.secrets] == ["kept", "supplied", "outstanding"]


def test_a_plan_names_what_cannot_be_changed() -> None:
    """The places that an update leaves are marked, and the import names them alone."""
    found = (Difference("/labels/team", "a", "b"), Difference("/tags", ["x"], []))
    planned = action("flow:a", "update", "updated-partly", differences=found, unchangeable=("/labels/team",))
    run = Subject("import", manifest("flow:a"), None, DESTINATION)
    plan = text.render(plan_report.report(run, Plan((planned,))))
    done = text.render(import_report.report(run, Plan((planned,)), [outcome("flow:a", "succeeded", "updated-partly")]))
    assert "/labels/team  (cannot be changed)\n" in plan
    assert "/tags\n" in plan
    assert "flow:a: /labels/team\n" in done


def test_interrupted_import_keeps_its_account() -> None:
    """An interrupted run is exit code 130, with everything counted."""
    report = endings.interrupted(imported(outcome("flow:a", "failed", "not-tried")))
    assert (report.exit_code, report.summary["failed"]) == (130, 1)
    assert report.error is not None


def test_blocked_stands_under_its_root() -> None:
    """What waits for something that waits for something stands under the first cause, once."""
    report = imported(
        outcome("work-pool:push", "skipped", "push-pool"),
        outcome("work-queue:push/q", "blocked", "waits-for", waits_for=("work-pool:push",)),
        outcome("deployment:etl/a", "blocked", "waits-for", waits_for=("work-queue:push/q",)),
    )
    lines = (
        "push-pool (1): push work pools exist only on Prefect Cloud\n"
        "  work-pool:push\n"
        "    blocked by it (2):\n"
        "      work-queue:push/q\n"
        "      deployment:etl/a\n"
    )
    assert lines in text.render(report)


def test_a_plan_tells_what_is_blocked_under_what_it_waits_for() -> None:
    """In a plan, too, what cannot be stands once, under its cause; a cause outside the bundle is named."""
    needs_pool = action("deployment:etl/a", "blocked", "waits-for", waits_for=("work-pool:push",))
    needs_flow = action("deployment:etl/b", "blocked", "waits-for", waits_for=("flow:elsewhere",))
    actions = (action("work-pool:push", "unsupported", "push-pool"), needs_pool, needs_flow)
    stored = manifest(*(each.key for each in actions))
    shown = text.render(plan_report.report(Subject("plan", stored, "env.pxb", DESTINATION), Plan(actions)))

    assert "! work-pool:push  (push-pool)\n    blocked by it (1):\n      deployment:etl/a\n" in shown
    assert "! waiting for flow:elsewhere, which is not there\n    blocked by it (1):\n      deployment:etl/b\n" in shown
    assert shown.count("deployment:etl/a") == 1


def test_blocked_in_a_circle_is_still_shown() -> None:
    """Two that wait for each other are both listed."""
    shown = text.render(
        imported(
            outcome("automation:a", "failed", "waits-for", waits_for=("automation:b",)),
            outcome("automation:b", "failed", "waits-for", waits_for=("automation:a",)),
        )
    )
    assert shown.count("automation:a") >= 1
    assert shown.count("automation:b") >= 1


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


def test_long_lists_are_cut_unless_asked_for() -> None:
    """Ten of a group are shown with the number of the rest; -v shows all."""
    report = imported(*(outcome(f"flow:{number:02}", "failed", "rejected") for number in range(25)))
    assert "  flow:09\n  … and 15 more (-v shows all)\n" in text.render(report)
    assert "  flow:24\n" in text.render(report, is_whole=True)


@pytest.mark.parametrize(
    ("ended", "supplied", "state"),
    [
        (("succeeded", "created-without-secret", (SLOT.slot,)), (), "outstanding"),
        (("succeeded", "created", ()), (SLOT.slot,), "supplied"),
        (("failed", "rejected", ()), (SLOT.slot,), "outstanding"),
    ],
)
def test_secret_slots_say_what_became_of_them(ended: Any, supplied: tuple[str, ...], state: str) -> None:
    """A slot is outstanding until its value has arrived."""
    stored = manifest("block:secret/db", secrets=(SLOT,))
    done = outcome("block:secret/db", ended[0], ended[1], missing_secrets=ended[2])
    run = Subject("import", stored, "env.pxb", DESTINATION, supplied)
    report = import_report.report(run, Plan((action("block:secret/db"),)), [done])
    assert [each.state for each in report.secrets] == [state]
    assert ("XFER_SECRET_BLOCK_SECRET_DB_DATA_VALUE" in text.render(report)) is (state == "outstanding")


def test_secret_of_what_was_there_is_kept() -> None:
    """The secret of a resource that the destination had is neither supplied nor asked for."""
    stored = manifest("block:secret/db", secrets=(SLOT,))
    plan = Plan((action("block:secret/db", "skip", "exists-same"),))
    done = outcome("block:secret/db", "skipped", "exists-same")
    report = import_report.report(Subject("import", stored, None, DESTINATION), plan, [done])
    assert [each.state for each in report.secrets] == ["kept"]


def test_account_of_an_export() -> None:
    """The census is the account: what was seen is exported or left out."""
    stored = manifest("flow:a", census={"flow": Count(3, 1, 2)}, left_out=(LeftOut("flow", "built-in", 2),))
    report = export_report.report(stored, "env.pxb", DESTINATION, ())
    assert (report.exit_code, last_line(report)) == (0, "1 exported, 2 left out (3 of 3 accounted for)")
    torn = export_report.report(stored, "env.pxb", DESTINATION, ("flow",))
    assert torn.exit_code == 3
    wrong = manifest("flow:a", census={"flow": Count(3, 1, 1)})
    assert export_report.report(wrong, "env.pxb", DESTINATION, ()).exit_code == 3


def test_a_server_is_named_once() -> None:
    """A profile is shown with its URL, and a URL that was given in place of a profile by itself."""
    stored = manifest("flow:a", census={"flow": Count(1, 1, 0)})
    titles = [
        text.render(export_report.report(stored, "env.pxb", Side(name, "http://h/api"), ())).splitlines()[0]
        for name in ("dev", "http://h/api")
    ]
    assert titles == ["Exported dev (http://h/api) to env.pxb", "Exported http://h/api to env.pxb"]


def test_plan_has_a_glyph_for_each_action() -> None:
    """Created, differing, impossible and lacking a secret are told apart by the first character."""
    actions = (
        action("flow:new"),
        action("flow:same", "skip", "exists-same"),
        action("flow:other", "skip", "exists-differs", differences=(Difference("/tags/0", "ours", None),)),
        action("work-pool:push", "unsupported", "push-pool"),
        action("block:secret/db", "create", "created-without-secret", missing_secrets=(SLOT.slot,)),
        action("flow:begun", "complete", "completed"),
    )
    stored = manifest(*(each.key for each in actions), secrets=(SLOT,))
    report = plan_report.report(Subject("plan", stored, "env.pxb", DESTINATION), Plan(actions))
    lines = text.render(report).splitlines()
    for line in (
        "+ flow:new",
        "~ flow:other  (exists-differs)",
        "      - null",
        "      + ours",
        "! work-pool:push  (push-pool)",
        f"    ? {SLOT.slot}",
        "+ flow:begun  (completed)",
        "= 1 flow the same",
    ):
        assert line in lines
    assert lines[-1] == (
        "Plan: 2 create, 1 update, 0 delete, 1 unchanged, 1 different, 1 unsupported, 1 secrets needed "
        "(6 of 6 accounted for)"
    )
    assert has_differences(report)


@pytest.mark.parametrize(
    ("pointer", "value", "is_hidden"),
    [
        ("/value", "ghp_" + "x" * 36, True),
        ("/job_variables/env/DB_PASSWORD", "hunter2", True),
        ("/job_variables/password/value", "hunter2", True),
        ("/job_variables", {"env": {"token": "hunter2"}}, True),
        ("", {"token": "hunter2"}, True),
        ("/value", "eu-central-1", False),
        ("/limit", 5, False),
    ],
)
def test_values_that_look_secret_are_hidden(pointer: str, value: Any, is_hidden: bool) -> None:  # noqa: FBT001
    """A difference does not show a value that looks like a secret, or that stands where secrets stand."""
    for difference in (Difference(pointer, value, None), Difference(pointer, None, value)):
        plan = Plan((action("variable:x", "skip", "exists-differs", differences=(difference,)),))
        report = plan_report.report(Subject("plan", manifest("variable:x"), None, DESTINATION), plan)
        assert report.resources[0].differences[0].is_hidden is is_hidden
        assert ("hunter2" in as_json.render(report)) is False


UNSAFE = "\x00\x07\x1b\r\n\t\x7f\x85\x9b\u200e\u2028\u202e\u2066"


def test_unsafe_characters_are_written_out() -> None:
    """Control and bidirectional characters become their code points; letters of any script stay."""
    assert escaping.escape(UNSAFE) == ("\\x00\\x07\\x1b\\x0d\\x0a\\x09\\x7f\\x85\\x9b\\u200e\\u2028\\u202e\\u2066")
    assert escaping.escape("ünïcode ☃ 漢字 \U0001f680 [bold]") == "ünïcode ☃ 漢字 \U0001f680 [bold]"
    assert escaping.escape_lines("a\x1b\nb") == "a\\x1b\nb"


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_unsafe_character_survives(name: str, detail: str) -> None:
    """Whatever a bundle says, text and JSON hold no unsafe character, and the JSON means the same."""
    key = f"flow:{name}"
    findings = (Finding("secret-suspected", key, "/x", detail), Finding(name, key))
    left_out = (LeftOut("flow", name, 0, (detail,)),)
    report = imported(
        outcome(key, "failed", "rejected", detail=detail),
        findings=findings,
        left_out=left_out,
        provenance={name: detail},
    )
    for shown in (
        text.render(report),
        as_json.render(report),
        text.render(
            bundle_report.described("inspect", manifest(key, findings=findings, provenance={name: detail}), detail)
        ),
    ):
        assert escaping.escape_lines(shown) == shown
    document = json.loads(as_json.render(report))
    assert (document["resources"][0]["key"], document["resources"][0]["detail"]) == (key, detail)


def test_report_of_an_error() -> None:
    """An error is a report too: its kind, message and hint."""
    report = endings.failed("export", 1, endings.problem_of(BundleError("no", hint="do")))
    assert json.loads(as_json.render(report))["error"] == {"code": "BundleError", "message": "no", "hint": "do"}


def test_published_schema_is_current() -> None:
    """The file in schemas/ is what the structs say."""
    assert (ROOT / "schemas" / schema.REPORT).read_bytes() == schema.generate()


def test_what_would_be_run_is_grouped() -> None:
    """Equal texts stand once with their number, few of each code; -v has every place, escaped."""
    entries = [Surface(f"deployment:etl/{number}", "/job_variables/image", "image", "reg/x") for number in range(9)]
    entries += [Surface("work-pool:k8s", "/x", "command", f"run \x1b {number}") for number in range(5)]
    found = Surfaces({"image": 9, "command": 5}, tuple(entries))
    report = msgspec.structs.replace(bundle_report.described("inspect", manifest(), "env.pxb"), surface=found)
    short, whole = text.render(report), text.render(report, is_whole=True)
    assert "    reg/x  (deployment:etl/0 and 8 more)\n" in short
    assert "  command (5): a command or script\n    run \\x1b 0  (work-pool:k8s)\n" in short
    assert "    … and 2 more (-v shows all)" in short
    assert whole.count(" at /job_variables/image\n") == 9
    assert "\x1b" not in short + whole


def _told(older: Any, newer: Any, pointer: str = "/x", key: str = "deployment:etl/a", *, whole: bool = False) -> str:
    """How a plan shows one difference."""
    found = action(key, "skip", "exists-differs", differences=(Difference(pointer, newer, older),))
    report = plan_report.report(Subject("plan", manifest(key), "env.pxb", DESTINATION), Plan((found,)))
    _, _, after = text.render(report, is_whole=whole).partition(f"    {pointer}\n")
    return after.partition("\n\n")[0]


def test_of_long_lists_only_what_differs_is_told() -> None:
    """Items that both sides have are left out, so that a schedule that came or went can be seen."""
    kept = [{"slug": f"kept {number}", "cron": "0 5 * * *"} for number in range(9)]
    same = [dict(reversed(each.items())) for each in kept]

    assert _told([*same, {"slug": "theirs"}], kept) == '      - {"slug":"theirs"}'
    assert _told([*kept, {"slug": "theirs"}], kept) == '      - {"slug":"theirs"}'
    assert _told(kept, [{"slug": "a"}, *kept, {"slug": "b"}]) == '      + {"slug":"a"}\n      + {"slug":"b"}'
    assert "kept 8" in _told([*kept, {"slug": "theirs"}], kept, whole=True)


def test_of_long_values_the_part_that_differs_is_told() -> None:
    """Both sides begin a little before they part; a change of order is shown as it is."""
    older, newer = "a" * 500 + "old" + "b" * 500, "a" * 500 + "new" + "b" * 500

    lines = [line.strip() for line in _told(older, newer).splitlines()]
    assert [line[:40] for line in lines] == [f"- …{'a' * 30}oldbbbb", f"+ …{'a' * 30}newbbbb"]
    assert all(line.endswith("b…") and len(line) < 130 for line in lines)
    numbers = list(range(100))
    assert [line[:12] for line in _told(numbers, numbers[::-1]).splitlines()] == ["      - [0,1", "      + [99,"]


@pytest.mark.parametrize(
    ("key", "pointer", "sides", "shown"),
    [
        ("work-pool:k8s", "/is_paused", (True, None), "- true + false"),
        ("automation:page", "/enabled", (False, None), "- false + true"),
        ("deployment:etl/a", "/tags", (None, ["x"]), '- [] + ["x"]'),
        ("deployment:etl/a", "/description", (None, "x"), "- null + x"),
        ("variable:region", "/value", ("x", None), "- x + null"),
    ],
)
def test_a_field_that_is_left_out_has_its_default(key: str, pointer: str, sides: Any, shown: str) -> None:
    """A difference says what a server fills in, not that nothing is there."""
    older, newer = sides
    assert " ".join(_told(older, newer, pointer, key).split()) == shown


def test_an_inert_import_says_how_to_go_on() -> None:
    """The command to switch on is given, and that it takes the same selection and overlay."""
    run = Subject("import", manifest("flow:a"), "env.pxb", DESTINATION, inert=True)
    done = import_report.report(run, Plan((action("flow:a"),)), [outcome("flow:a", "succeeded", "created")])

    assert "with the same\nselection and overlay as here:\n  xfer activate env.pxb --to prod\n" in text.render(done)
