"""``--on-conflict update``: what differs is written, and nothing else; all of it can be taken back."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.apply.control import Control
from bundle.environment.selection import Selection
from bundle.errors import AccessDenied, Unreachable
from bundle.model import Bundle
from bundle.operations.drift import drift
from bundle.operations.import_ import carry_out, prepare
from bundle.operations.receipt import Journal, read
from bundle.operations.rollback import roll_back
from bundle.operations.undo import Undone
from bundle.plan.actions import Plan
from bundle.plan.choices import Choices, Conflicts
from bundle.plan.overlay import adapt
from bundle.server.client import PrefectApi
from bundle.server.process import Server
from conftest import ServerPool
from support.compare import compare
from support.edits import EDITS, ROTATED, SUPPLIED, SUPPLIED_SLOT, There
from support.environment import Api, Size
from support.moving import CREATED, Imported, import_into
from support.targets import target

Factory = Callable[[Size | None], Server]

UPDATE = Conflicts("update")
SECRET = "block:secret/db-password"
SECRETS = {SUPPLIED_SLOT: SUPPLIED}
LIVE = {"string": "live", "object": {"a": "live"}, "array": ["live"], "number": 7, "boolean": True}
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@pytest.fixture(scope="module")
def edited_database(server_pool: ServerPool, small: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A destination that got the bundle with its secrets, and where forty resources were edited since."""
    server = server_pool.take()
    values = {each.slot: LIVE[each.type] for each in small.manifest.secrets}
    import_into(server.url, small, secrets=values)
    with Api(server.url) as api:
        for each in EDITS:
            each.edit(There(api))
    file = server.snapshot(tmp_path_factory.mktemp("edited") / "edited.db")
    server_pool.give_back(server)
    return file


@pytest.fixture
def edited(server_pool: ServerPool, server_factory: Factory, edited_database: Path) -> Callable[[], Server]:
    """Servers that are such a destination."""

    def make() -> Server:
        server = server_factory(None)
        server_pool.load(server, edited_database)
        with Api(server.url) as api:
            # The one thing that is not in the database.
            There(api).store_results("local-file-system/results")
        return server

    return make


class Recorder:
    """A server, and every write that it was sent."""

    def __init__(self, api: PrefectApi) -> None:
        self._api = api
        self.writes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._api, name)

    async def write(self, method: Any, path: str, body: Any = None, **more: Any) -> Any:
        names = sorted(body) if isinstance(body, dict) else ()
        self.writes.append(" ".join((method, _ID.sub("{id}", path), *names)))
        return await self._api.write(method, path, body, **more)


def _update(url: str, bundle: Bundle, wrap: Callable[[PrefectApi], Any] = lambda api: api) -> Imported:
    return import_into(url, bundle, secrets=SECRETS, on_conflict=UPDATE, wrap=wrap)


def _recorded(url: str, bundle: Bundle) -> tuple[Imported, list[str]]:
    """An update, and the writes that it sent."""
    recorders: list[Recorder] = []

    def wrap(api: PrefectApi) -> Any:
        recorders.append(Recorder(api))
        return recorders[-1]

    imported = _update(url, bundle, wrap)
    return imported, [write for recorder in recorders for write in recorder.writes]


def _differences(plan: Plan) -> set[tuple[str, str]]:
    return {(action.key, each.pointer) for action in plan.actions for each in action.differences}


def _drift(url: str, bundle: Bundle) -> Plan:
    async def run() -> Plan:
        async with PrefectApi(target(url)) as api:
            return await drift(adapt(bundle), api)

    return asyncio.run(run())


def _data(url: str, block: str) -> Any:
    with Api(url) as api:
        return There(api).block(block)["data"]


def test_an_update_writes_what_differs_and_nothing_else(
    edited: Callable[[], Server], small: Bundle, source_server: Server
) -> None:
    """The plan names each of the forty, the import sends just their writes, and then everything is as in the bundle.

    Without a policy, all that was edited, paused or rotated at the destination stays as it is.
    """
    server = edited()

    skipped = import_into(server.url, small, secrets=SECRETS)
    imported, writes = _recorded(server.url, small)
    _, again = _recorded(server.url, small)

    assert skipped.reasons() == {"exists-differs": len(EDITS), "exists-same": len(small.records) - len(EDITS)}
    assert skipped.sent.writes == 0
    assert len(EDITS) == 40
    assert _differences(imported.prepared.plan) == {(each.key, place) for each in EDITS for place in each.places}
    assert {each.key for each in imported.result.outcomes if each.reason == "updated"} == {each.key for each in EDITS}
    assert Counter(writes) == Counter(write for each in EDITS for write in each.writes)
    assert again == []
    assert _differences(_drift(server.url, small)) == set()
    # Seen with other eyes, too: what is left is the schedule that somebody added there.
    left = compare(source_server.url, server.url)
    assert {line.partition(": ")[0] for line in left} == {"deployment:scheduled/with slugs /schedules"}
    # A secret that was supplied is written; one beside what differs is not.
    assert _data(server.url, "secret/db-password") == {"value": SUPPLIED}
    assert _data(server.url, "acme-store/store") == {"basepath": "/data", "token": ROTATED, "options": {"a": "live"}}


def test_a_policy_may_be_for_some_kinds(edited: Callable[[], Server], small: Bundle) -> None:
    """Of all that differs, only the kinds that are to be updated are."""
    server = edited()

    imported = import_into(server.url, small, on_conflict=Conflicts("skip", {"variable": "update", "flow": "update"}))

    updated = {each.key for each in imported.result.outcomes if each.reason == "updated"}
    assert updated == {each.key for each in EDITS if each.key.partition(":")[0] in {"variable", "flow"}}


def _journalled(url: str, bundle: Bundle, path: Path) -> None:
    async def run() -> None:
        async with PrefectApi(target(url)) as api:
            prepared = await prepare(bundle, api, Choices(UPDATE))
            with Journal.begin(path, prepared, destination=api.url, created=CREATED) as journal:
                await carry_out(prepared, api, Control(witness=journal))

    asyncio.run(run())


def _roll_back(url: str, path: Path, *, force: bool = False) -> dict[str, Undone]:
    async def run() -> tuple[Undone, ...]:
        async with PrefectApi(target(url)) as api:
            return await roll_back(read(path), api, force=force)

    return {undone.key: undone for undone in asyncio.run(run())}


def test_a_rollback_of_an_update_gives_back_the_earlier_state(
    edited: Callable[[], Server], small: Bundle, tmp_path: Path
) -> None:
    """What was there before the update is there again, secrets included.

    What somebody wrote since stays, unless the rollback is forced; what somebody added stays in any case.
    """
    server, before = edited(), edited()
    _journalled(server.url, small, tmp_path / "receipt")
    with Api(server.url) as api:
        There(api).variable("region", value="later")
        There(api).add_schedule("scheduled/with slugs", schedule={"interval": 60}, slug="later")

    kept = _roll_back(server.url, tmp_path / "receipt")
    forced = _roll_back(server.url, tmp_path / "receipt", force=True)

    since = {"variable:region", "deployment:scheduled/with slugs"}
    expected = {each.key: "edited" if each.key in since else "restored" for each in EDITS} | {SECRET: None}
    assert {key: each.reason for key, each in kept.items()} == {key: why for key, why in expected.items() if why}
    assert {key for key, each in forced.items() if each.reason == "restored"} == since
    assert {each.reason for key, each in forced.items() if key not in since} == {"as-before"}
    with Api(server.url) as api:
        There(api).drop_schedule("scheduled/with slugs", "later")
    assert compare(before.url, server.url, secrets="revealed") == []


class Silent(Recorder):
    """A server that carries out a list of schedules, but whose answer is lost."""

    async def write(self, method: Any, path: str, body: Any = None, **more: Any) -> Any:
        answer = await super().write(method, path, body, **more)
        if path.endswith("/schedules"):
            raise Unreachable("lost", hint="none", maybe_done=True)
        return answer


def test_a_lost_answer_makes_no_second_schedule(edited: Callable[[], Server], small: Bundle) -> None:
    """Schedules whose answer was lost are looked for before they would be posted again."""
    server = edited()

    imported = _update(server.url, small, Silent)

    assert imported.reasons()["updated"] == 40
    with Api(server.url) as api:
        assert There(api).schedules("scheduled/with slugs").keys() == {"weekdays", "hourly", "weekly", "theirs"}


class Discreet(Recorder):
    """A server whose credentials may not see secrets."""

    def pages(self, path: str, body: Any = None) -> Any:
        if (body or {}).get("include_secrets"):
            raise AccessDenied("no", hint="none", status=403)
        return self._api.pages(path, body)


def test_secrets_that_are_not_shown_survive_an_update(edited: Callable[[], Server], small: Bundle) -> None:
    """Where the destination does not show its secrets, the rest is merged around them."""
    server = edited()

    first = _update(server.url, small, Discreet)

    assert first.reasons()["updated"] == 39
    assert _data(server.url, "secret/db-password") == {"value": ROTATED}
    assert _data(server.url, "acme-store/store") == {"basepath": "/data", "token": ROTATED, "options": {"a": "live"}}
    assert "child" in _data(server.url, "acme-middle/middle")
    assert _update(server.url, small, Discreet).sent.writes == 0


def test_what_nothing_can_change_is_named_and_left(destination_server: Server, small: Bundle) -> None:
    """A flow's labels and a pool's type are reported, and cause no write, neither now nor later."""
    with Api(destination_server.url) as api:
        api.create("/flows/", name="no deployments", tags=["theirs"], labels={"team": "them"})
        api.create("/work_pools/", name="Local", type="docker", description="")
    chosen = Selection(include=("flow:no deployments", "work-pool:Local"))

    first = import_into(destination_server.url, small, on_conflict=UPDATE, selection=chosen)
    second = import_into(destination_server.url, small, on_conflict=UPDATE, selection=chosen)

    plan = {action.key: action for action in first.prepared.plan.actions}
    flow, pool = plan["flow:no deployments"], plan["work-pool:Local"]
    labels = ("/labels/cost", "/labels/critical", "/labels/rank", "/labels/team")
    assert (flow.reason, flow.unchangeable) == ("updated-partly", labels)
    assert (pool.reason, pool.unchangeable) == ("unchangeable", ("/type",))
    assert (first.sent.writes, second.sent.writes) == (1, 0)
    assert second.reasons()["unchangeable"] == 2
