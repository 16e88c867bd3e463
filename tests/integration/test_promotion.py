"""One bundle for many environments: selected, mapped, overlaid, on real servers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.server.process import Server
from support.commands import xfer_json
from support.environment import Api

OVERLAY = """
[map]
"work-pool:local" = "local-prod"

[set]
"variable:a_number" = 7
"variable:region" = "prod"

[[patch]]
match = "deployment:scheduled/with slugs"
at = "/schedules/slug=weekdays"
merge = { active = false }
"""
SELECTION = (
    "--include",
    "deployment:scheduled/with slugs",
    "--include",
    "variable",
    "--include",
    "deployment:etl/pool*",
)


@pytest.fixture(scope="module")
def part(source_server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle of three deployments, the variables, and what they need."""
    path = tmp_path_factory.mktemp("part") / "part.pxb"
    code, _ = xfer_json("export", "--from", source_server.url, "-o", str(path), *SELECTION)
    assert code == 0
    return str(path)


def _keys(report: Any) -> set[str]:
    return {each["key"] for each in report["resources"]}


def test_a_selection_is_exported_with_what_it_needs(part: str, destination_server: Server) -> None:
    """The rest stands in the account as excluded, and the part arrives whole at an empty destination."""
    _, inside = xfer_json("inspect", part)
    code, imported = xfer_json("import", part, "--to", destination_server.url, "--no-receipt")

    assert inside["bundle"]["selection"]["include"] == [
        "deployment:scheduled/with slugs",
        "variable",
        "deployment:etl/pool*",
    ]
    assert {"excluded"} < {each["reason"] for each in inside["left_out"]}
    assert inside["summary"]["total"] == inside["summary"]["accounted_for"]
    assert {"flow:scheduled", "flow:etl", "work-pool:local", "work-queue:local/high"} < _keys(imported)
    assert "work-pool:k8s" not in _keys(imported)
    assert (code, imported["summary"]["succeeded"]) == (0, imported["summary"]["total"])


def test_without_dependencies_the_destination_must_have_them(
    source_server: Server, destination_server: Server, tmp_path: Path
) -> None:
    """What a bare deployment needs is named while it is missing, and used once it is there."""
    bare, rest = str(tmp_path / "bare.pxb"), str(tmp_path / "rest.pxb")
    xfer_json(
        "export", "--from", source_server.url, "-o", bare, "--include", "deployment:etl/pool*", "--no-dependencies"
    )
    xfer_json(
        "export", "--from", source_server.url, "-o", rest, "--include", "work-queue:local/high", "--include", "flow:etl"
    )

    blocked_code, blocked = xfer_json("import", bare, "--to", destination_server.url, "--no-receipt")
    xfer_json("import", rest, "--to", destination_server.url, "--no-receipt")
    code, imported = xfer_json("import", bare, "--to", destination_server.url, "--no-receipt")
    again_code, again = xfer_json("import", bare, "--to", destination_server.url, "--no-receipt")

    assert (blocked_code, blocked["summary"]["blocked"], blocked["bundle"]["format"] >= "1.1") == (3, 2, True)
    assert "flow:etl" in blocked["resources"][0]["waits_for"]
    assert (code, imported["summary"]["succeeded"]) == (0, 2)
    assert (again_code, again["summary"]["skipped"]) == (0, 2)


def test_a_bundle_is_promoted_with_an_overlay(part: str, destination_server: Server, tmp_path: Path) -> None:
    """A pool renamed, two variables, one schedule off: just that arrives, verify agrees, a second run is idle."""
    overlay = tmp_path / "prod.toml"
    overlay.write_text(OVERLAY)
    url, with_overlay = destination_server.url, ("--overlay", str(overlay))

    code, _ = xfer_json("import", part, "--to", url, "--no-receipt", *with_overlay)
    verified, drift = xfer_json("verify", part, "--to", url, *with_overlay)
    plain, _ = xfer_json("verify", part, "--to", url)
    _, again = xfer_json("import", part, "--to", url, "--no-receipt", *with_overlay)

    assert (code, verified, plain) == (0, 0, 2)
    assert drift["summary"]["same"] == drift["summary"]["total"]
    assert again["summary"]["succeeded"] == 0
    with Api(url) as api:
        pools = {row["name"] for row in api.read_all("/work_pools/filter")}
        values = {row["name"]: row["value"] for row in api.read_all("/variables/filter")}
        deployments = {row["name"]: row for row in api.read_all("/deployments/filter")}
    assert "local-prod" in pools
    assert "local" not in pools
    assert (values["a_number"], values["region"]) == (7, "prod")
    scheduled = deployments["with slugs"]
    assert {each["slug"]: each["active"] for each in scheduled["schedules"]} == {
        "weekdays": False,
        "hourly": False,
        "weekly": True,
    }
    assert deployments["pool and queue"]["work_pool_name"] == "local-prod"


def test_a_cutover_takes_the_overlay_too(part: str, destination_server: Server, tmp_path: Path) -> None:
    """What an inert import with an overlay made is switched on by what the overlay says, and under its names."""
    overlay = tmp_path / "prod.toml"
    overlay.write_text(OVERLAY)
    url, with_overlay = destination_server.url, ("--overlay", str(overlay))

    xfer_json("import", part, "--to", url, "--no-receipt", "--inert", *with_overlay)
    code, activated = xfer_json("activate", part, "--to", url, *with_overlay)
    verified, _ = xfer_json("verify", part, "--to", url, *with_overlay)

    assert (code, activated["summary"]["failed"], verified) == (0, 0, 0)
    assert "work-pool:local-prod" in _keys(activated)
    with Api(url) as api:
        scheduled = api.send("GET", "/deployments/name/scheduled/with%20slugs")
    assert {each["slug"]: each["active"] for each in scheduled["schedules"]} == {
        "weekdays": False,
        "hourly": False,
        "weekly": True,
    }


def test_an_import_takes_a_part_of_a_bundle(part: str, server_factory: Callable[..., Server]) -> None:
    """What is not selected is accounted for, left alone, and used where the destination has it."""
    url = server_factory(None).url

    first_code, first = xfer_json("import", part, "--to", url, "--no-receipt", "--include", "flow")
    code, second = xfer_json(
        "import", part, "--to", url, "--no-receipt", "--include", "deployment", "--exclude", "flow"
    )

    reasons = {each["key"]: each["reason"] for each in second["resources"]}
    assert first_code == code == 0
    assert first["summary"]["succeeded"] == 2
    assert reasons["flow:etl"] == reasons["variable:a_number"] == "not-selected"
    assert reasons["deployment:etl/pool only"] == reasons["work-pool:local"] == "created"
    assert second["summary"]["accounted_for"] == second["summary"]["total"]


def test_an_import_does_what_was_planned_or_nothing(part: str, destination_server: Server, tmp_path: Path) -> None:
    """A saved plan is carried out as long as nothing moved; else it names what moved and writes nothing."""
    url, plan, later = destination_server.url, str(tmp_path / "plan.json"), str(tmp_path / "later.json")
    xfer_json("plan", part, "--to", url, "-o", plan)
    with Api(url) as api:
        api.create("/variables/", name="a_number", value=1)

    stale_code, stale = xfer_json("import", part, "--to", url, "--no-receipt", "--plan", plan)
    with Api(url) as api:
        flows = api.read_all("/flows/filter")
    other_code, _ = xfer_json("plan", part, "--to", url, "-o", later)
    overlaid_code, overlaid = xfer_json(
        "import", part, "--to", url, "--no-receipt", "--plan", later, "--set", "variable:region=eu"
    )
    code, done = xfer_json("import", part, "--to", url, "--no-receipt", "--plan", later)

    assert (stale_code, stale["error"]["code"]) == (1, "Conflict")
    assert "variable:a_number (made)" in stale["error"]["message"]
    assert flows == []
    assert (other_code, overlaid_code) == (0, 1)
    assert "variable:region (wanted otherwise)" in overlaid["error"]["message"]
    again_code, again = xfer_json("import", part, "--to", url, "--no-receipt", "--plan", later)
    assert (code, done["summary"]["failed"]) == (0, 0)
    assert (again_code, again["summary"]["succeeded"], again["summary"]["failed"]) == (0, 0, 0)
    assert Path(later).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "edit", [lambda text: text[:-20], lambda text: text.replace('"create"', '"skip"'), lambda _: "{}"]
)
def test_a_plan_that_was_edited_is_refused(
    part: str, destination_server: Server, tmp_path: Path, edit: Callable[[str], str]
) -> None:
    """A saved plan is taken as it was saved."""
    plan = tmp_path / "plan.json"
    xfer_json("plan", part, "--to", destination_server.url, "-o", str(plan))
    plan.write_text(edit(plan.read_text()))

    code, report = xfer_json("import", part, "--to", destination_server.url, "--no-receipt", "--plan", str(plan))

    assert (code, report["error"]["code"]) == (1, "BundleError")


@pytest.mark.parametrize(
    ("match", "merge", "told"),
    [
        ("deployment:etl/pool only", "{ paused = 'maybe' }", "something at /paused"),
        ("deployment:etl/pool only", "{ tags = 'x' }", "no deployment: Expected array | null, got str - at $.tags"),
        ("deployment:etl/pool only", "{ concurrency_limit = 0 }", "something at /concurrency_limit"),
        (
            "deployment:scheduled/with slugs",
            "{ schedules = [{ active = 1, schedule = { cron = 'x' } }] }",
            "/schedules/0/active",
        ),
        ("work-pool:local", "{ concurrency_limit = -1 }", "something at /concurrency_limit"),
        ("work-pool:local", "{ concurrency_limit = 1.5 }", "something at /concurrency_limit"),
    ],
)
def test_a_value_that_the_destination_does_not_take_is_refused(
    part: str, destination_server: Server, tmp_path: Path, match: str, merge: str, told: str
) -> None:
    """A patch is held against what the kind is, and the destination's own schema, before anything is written."""
    overlay, url = tmp_path / "bad.toml", destination_server.url
    overlay.write_text(f'[[patch]]\nmatch = "{match}"\nmerge = {merge}\n')

    code, report = xfer_json("import", part, "--to", url, "--no-receipt", "--overlay", str(overlay))

    assert (code, report["error"]["code"]) == (64, "UsageError")
    assert match in report["error"]["message"]
    assert told in report["error"]["message"]
    with Api(url) as api:
        assert api.read_all("/flows/filter") == []
