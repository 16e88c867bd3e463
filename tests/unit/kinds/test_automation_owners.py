"""Whose an automation is, as far as a server's answers tell."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bundle.kinds import KINDS
from bundle.kinds.protocols import Raw, Reader
from support.one_kind import Lists

ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"
ID = "33333333-3333-4333-8333-333333333333"
NOTHING = {"type": "do-nothing"}


def runs(deployment: str) -> dict[str, Any]:
    return {"type": "run-deployment", "source": "selected", "deployment_id": deployment}


class Asked(Lists):
    """A server with deployments ``nightly`` and ``weekly``, of which the first is related to every automation."""

    def __init__(self, rows: list[Raw], *, asks_all: bool) -> None:
        related = f"/automations/related-to/prefect.deployment.{ONE}"
        deployments = [{"id": ONE, "name": "nightly"}, {"id": TWO, "name": "weekly"}]
        lists = {"/automations/filter": rows, "/deployments/filter": deployments, related: rows}
        super().__init__(lists, is_deep=True, is_cloud=False)
        self.asks_all = asks_all
        self.asked: list[str] = []

    async def get(self, path: str) -> Any:
        if "related-to" in path:
            self.asked.append(path.rpartition(".")[2])
        return await super().get(path)


def told(*, asks_all: Any = False, **automation: Any) -> tuple[Any, Any, list[str]]:
    """The owner of an automation, who may be it, and the deployments that were asked."""
    server = Asked([{"id": ID, "name": "mine", "actions": [], **automation}], asks_all=asks_all)
    (found,) = asyncio.run(KINDS["automation"].read(cast(Reader, server)))
    owner = (found["owner_resource"] or "").removeprefix("prefect.deployment.")
    return owner, found["_possible_owner"], server.asked


@pytest.mark.parametrize(
    "actions", [[runs(ONE)], [runs(ONE), NOTHING], [NOTHING, runs(ONE)]], ids=["alone", "first", "last"]
)
def test_what_only_a_name_tells(actions: list[dict[str, Any]]) -> None:
    """Of what ``actions`` run nothing is asked, since the answer tells nothing; the SDK's own names tell the owner."""
    assert told(actions=actions) == ("", ONE, [])
    assert told(actions=actions, name="nightly__automation_2") == (ONE, None, [])
    assert told(actions=actions, name=f"Automation for deployment {ONE}") == (ONE, None, [])
    assert told(actions=actions, name="weekly__automation_2") == ("", ONE, [TWO])


@pytest.mark.parametrize("field", ["actions_on_trigger", "actions_on_resolve"])
def test_what_asking_tells(field: str) -> None:
    """A deployment that is run only in other lists is related to what it owns, and to nothing else."""
    assert told(**{field: [runs(ONE)]}) == (ONE, None, [ONE])
    assert told(**{field: [runs(TWO)]}) == ("", None, [TWO])


def test_one_that_is_acted_on_otherwise_is_asked() -> None:
    """Pausing a deployment relates an automation to it only where it is the owner."""
    assert told(actions=[{"type": "pause-deployment", "deployment_id": ONE}]) == (ONE, None, [ONE])


def test_nobody_else_is_asked_unless_it_is_wanted() -> None:
    """An automation that names no deployment is asked about only with the option; then it has its owner."""
    assert told(actions=[NOTHING]) == ("", None, [])
    assert told(actions=[NOTHING], asks_all=True) == (ONE, None, [ONE, TWO])
    assert told(actions=[runs(TWO)], asks_all=True) == (ONE, None, [ONE, TWO])


def test_an_action_of_no_deployment_is_no_doubt() -> None:
    """What runs a deployment that is gone belongs to nobody that could deploy again."""
    assert told(actions=[runs(ID)]) == ("", None, [])
