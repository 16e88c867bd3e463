"""Planned where the destination cannot be reached, done where it can, and told back; on real servers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundle.container.reader import read_bundle
from bundle.server.process import Server
from support.commands import xfer
from support.environment import Api


@pytest.fixture(scope="module")
def env(source_server: Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A bundle of the small environment."""
    path = tmp_path_factory.mktemp("low") / "env.pxb"
    assert xfer("export", "--from", source_server.url, "-o", str(path)).code == 0
    return str(path)


def planned(env: str, server: Server, directory: Path, *form: str) -> tuple[Any, str]:
    """The resources of a plan against a state of the server, and the plan's file."""
    state, plan = str(directory / "state.pxb"), str(directory / "plan.json")
    assert xfer("export", "--from", server.url, *form, "-o", state, "--force").code == 0
    ended = xfer("plan", env, "--to", state, "-o", plan, "--force", "--json")
    assert ended.code == 0
    return ended.document["resources"], plan


def imported(env: str, server: Server, plan: str, *more: str) -> Any:
    return xfer("import", env, "--to", server.url, "--plan", plan, "--no-receipt", "--json", *more)


@pytest.mark.parametrize("form", [("--state",), ()], ids=["lean", "export"])
def test_a_plan_of_the_low_side_is_done_exactly_on_the_high_side(
    env: str, destination_server: Server, tmp_path: Path, form: tuple[str, ...]
) -> None:
    """An empty server gets all of it, and the result says so; one that has it all already gets nothing."""
    result = tmp_path / "result.json"
    resources, plan = planned(env, destination_server, tmp_path, *form)
    done = imported(env, destination_server, plan, "--result", str(result))

    assert done.code == 0
    # An export does not name what every server creates by itself; a lean state does.
    built_in = {each["key"] for each in done.document["resources"] if each["reason"] == "exists-same"}
    actions = {each["key"]: each["action"] for each in resources}
    assert {actions[key] for key in built_in} <= ({"skip"} if form else {"create", "skip"})
    foretold = {key: action for key, action in actions.items() if key not in built_in}
    assert foretold == {each["key"]: each["action"] for each in done.document["resources"] if each["key"] in foretold}
    assert set(foretold.values()) == {"create"}
    told = xfer("result", "verify", str(result), "--bundle", env, "--json")
    assert (told.code, told.document["summary"]["there"]) == (0, done.document["summary"]["total"])
    assert json.loads(result.read_text())["predicate"]["found"] == read_bundle(Path(env)).manifest.content_digest
    assert destination_server.url not in result.read_text()

    resources, plan = planned(env, destination_server, tmp_path, *form)
    assert {(each["action"], each["reason"]) for each in resources} == {("skip", "exists-same")}
    again = imported(env, destination_server, plan)
    assert (again.code, {each["reason"] for each in again.document["resources"]}) == (0, {"exists-same"})


def test_what_moved_since_the_plan_is_named_and_nothing_written(
    env: str, destination_server: Server, tmp_path: Path
) -> None:
    """A resource that was edited after the state was taken; an edit of something else is no matter."""
    _, plan = planned(env, destination_server, tmp_path, "--state")
    assert imported(env, destination_server, plan).code == 0
    _, plan = planned(env, destination_server, tmp_path, "--state")
    api = Api(destination_server.url)
    api.post("/variables/", name="of_nobody_here", value=1)
    assert imported(env, destination_server, plan).code == 0
    variable = next(each for each in api.post("/variables/filter") if each["name"] == "region")
    api.patch(f"/variables/{variable['id']}", value="moved")

    before = api.post("/variables/filter")
    refused = imported(env, destination_server, plan)
    assert (refused.code, api.post("/variables/filter")) == (1, before)
    assert "variable:region (changed at the destination)" in refused.document["error"]["message"]
