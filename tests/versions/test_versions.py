"""Between versions of Prefect: what an old server holds arrives whole at the newest, and the newest's as far as it can.

For each version one trip: the newest's environment goes to the old server, what only old servers hold is planted there
beside it, and all of it goes to the newest again. The tests look at that trip.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from typing import Any

import httpx
import msgspec
import pytest

from bundle.apply.outcomes import Outcome
from bundle.environment.selection import EVERYTHING
from bundle.model import Bundle, Key
from bundle.operations.drift import drift
from bundle.plan.actions import Plan
from bundle.plan.overlay import NO_OVERLAY, adapt
from bundle.server.client import PrefectApi
from bundle.server.process import Server
from conftest import ServerPool
from support.compare import compare, read_all, schema_body
from support.environment import Size
from support.moving import Imported, bundle_of, import_into
from support.targets import target
from versions.native import plant
from versions.table import NEWEST, VERSIONS, Result, Way, recorded, write

PoolOf = Callable[[str], ServerPool]

# What no server since has: places in a bundle of an old server that the newest drops.
GONE = {"/manifest_path", "/schedules/*/catchup", "/schedules/*/max_active_runs"}

# What each version does not hold of the newest's environment, by kind and place; * stands for a position in a list.
ACTIONS = {"automation /actions/*/schedule_after"}
SINCE_3_6 = ACTIONS | {"deployment /concurrency_options/grace_period_seconds"}
SINCE_3_4 = SINCE_3_6 | {
    "automation /tags",
    "deployment /global_concurrency_limit_id",
    "work-pool /storage_configuration/default_result_storage_block_id",
}
SINCE_3_2 = SINCE_3_4 - {"work-pool /storage_configuration/default_result_storage_block_id"} | {
    "deployment /labels",
    "deployment /schedules/*/parameters",
    "deployment /schedules/*/slug",
    "flow /labels",
    "work-pool /storage_configuration",
}
DROPPED: Mapping[str, set[str]] = {
    "3.0.0": SINCE_3_2 - {"deployment /concurrency_options/grace_period_seconds"} | {"deployment /concurrency_options"},
    "3.0.11": SINCE_3_2,
    "3.2.15": SINCE_3_4,
    "3.4.14": SINCE_3_6,
    "3.6.29": set(),
    "3.8.8": set(),
    "3.9.1": set(),
}
# What each version refuses as a whole: no such route, action, shape or name there.
ROUTE, ACTION = {"default-result-storage:server"}, {"automation:sequence"}
NAMES = {"variable:with-dash", "automation:related list"}
REFUSED: Mapping[str, set[str]] = {
    "3.0.0": ROUTE | ACTION | NAMES | {"automation:compound"},  # it has no action resume-flow-run
    "3.0.11": ROUTE | ACTION | NAMES,
    "3.2.15": ROUTE | ACTION | NAMES,
    "3.4.14": ROUTE | ACTION,
    "3.6.29": ROUTE | ACTION,
    "3.8.8": set(),
    "3.9.1": set(),
}
# Servers before 3.6 answer 500 to a pool whose template defines a block under another name than its title.
POOL = {"work-pool:k8s", "work-queue:k8s/default"}
BROKEN: Mapping[str, set[str]] = {
    "3.0.0": POOL | {"automation:every action"},  # which resumes one that is refused
    "3.0.11": POOL,
    "3.2.15": POOL,
    "3.4.14": POOL,
}


class Trip(msgspec.Struct, frozen=True):
    """One version's servers, and what was moved between them, twice each way.

    ``forth`` is from the newest to the old one, None where nothing is imported there; ``plan`` is what reads it back.
    """

    version: str
    old: Server
    new: Server
    newest: Bundle
    bundle: Bundle
    forth: tuple[Imported, Imported] | None
    plan: Plan | None
    back: tuple[Imported, Imported]

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(map(int, self.version.split(".")))

    def there(self) -> tuple[Imported, Imported]:
        """The two imports into the old server."""
        if self.forth is None:
            pytest.skip("nothing is imported into Prefect 2")
        return self.forth


@pytest.fixture(scope="module")
def newest(pool_of: PoolOf) -> Bundle:
    """The small environment on the newest server, as a bundle."""
    pool = pool_of(NEWEST)
    server = pool.take(Size.SMALL)
    bundle = bundle_of(server.url)
    pool.give_back(server)
    return bundle


@pytest.fixture(scope="module", params=VERSIONS, ids="versions-{}".format)
def trip(request: pytest.FixtureRequest, pool_of: PoolOf, newest: Bundle) -> Iterator[Trip]:
    version = request.param
    old, new = pool_of(version).take(), pool_of(NEWEST).take()
    forth = plan = None
    if version >= "3":
        forth = (import_into(old.url, newest), import_into(old.url, newest))
        plan = read_back(old.url, newest)
    plant(old.url, tuple(map(int, version.split("."))))
    bundle = bundle_of(old.url)
    back = (import_into(new.url, bundle), import_into(new.url, bundle))
    yield Trip(version, old, new, newest, bundle, forth, plan, back)
    pool_of(version).give_back(old)
    pool_of(NEWEST).give_back(new)


def read_back(url: str, bundle: Bundle) -> Plan:
    """The bundle compared with a server, as ``xfer verify --to`` does."""

    async def run() -> Plan:
        async with PrefectApi(target(url)) as api:
            return await drift(adapt(bundle, EVERYTHING, NO_OVERLAY), api)

    return asyncio.run(run())


def places(dropped: Mapping[Key, Iterable[str]], *, but: Iterable[Key] = ()) -> set[str]:
    """Kinds and places, with * for every position in a list."""
    kept = {key: found for key, found in dropped.items() if key not in set(but)}
    return {
        f"{key.partition(':')[0]} {re.sub(r'/[0-9]+', '/*', each)}" for key, found in kept.items() for each in found
    }


def dropped(imported: Imported) -> dict[Key, tuple[str, ...]]:
    return {each.key: each.dropped for each in imported.result.outcomes if each.dropped}


def planned(imported: Imported) -> dict[Key, tuple[str, ...]]:
    return {each.key: each.dropped for each in imported.prepared.plan.actions if each.dropped}


def keys_by_state(imported: Imported, *reasons: str) -> set[Key]:
    return {each.key for each in imported.result.outcomes if each.reason in reasons}


# -- From the old server to the newest --------------------------------------------------------------------------------


def test_everything_arrives_at_the_newest(trip: Trip) -> None:
    """Each resource of the old server is made or there already, and only what no later server has is dropped."""
    outcomes = trip.back[0].result.outcomes
    assert {each.state for each in outcomes} <= {"succeeded", "skipped"}
    assert {each.reason for each in outcomes} <= {"created", "created-without-secret", "exists-same"}
    assert {place.partition(" ")[2] for place in places(dropped(trip.back[0]))} <= GONE
    assert len(outcomes) == len(trip.bundle.records)


def test_an_independent_comparison_finds_the_same(trip: Trip) -> None:
    """Read by other means, both servers hold the same, but for what their versions write otherwise."""
    lines = without_own_limits([line for line in compare(trip.old.url, trip.new.url) if not is_spelling(line)])
    policies = ["automation:Flow Run State Change Notification : only at the destination"] * 3
    assert [line for line in lines if line not in policies] == []
    assert lines == (policies if trip.numbers < (3, 4) else [])


def test_documents_keep_their_schema(trip: Trip) -> None:
    """Read by other means, each document has a schema of the same fields at both servers."""
    old, new = schemas(trip.old.url), schemas(trip.new.url)
    assert len(old) > 3
    assert {name: new[name] for name in old} == old


def schemas(url: str) -> dict[str, Any]:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        rows = list(read_all(http, "/block_documents/filter", {}))
    return {f"{row['block_type']['slug']}/{row['name']}": schema_body(row["block_schema"])["fields"] for row in rows}


def test_the_newest_has_all_at_the_second_import(trip: Trip) -> None:
    """A second import into the newest sends no write, and finds everything the same."""
    assert trip.back[1].sent.writes == 0
    assert trip.back[1].reasons() == {"exists-same": len(trip.bundle.records)}


def test_the_census_names_what_does_not_travel(trip: Trip) -> None:
    """Every object of the old server is counted, and what is left out has a reason."""
    manifest = trip.bundle.manifest
    for kind, count in manifest.census.items():
        left_out = sum(each.count for each in manifest.left_out if each.kind == kind)
        assert (count.seen, count.left_out) == (count.exported + left_out, left_out), kind
    policies = manifest.census["notification-policy"]
    assert policies.seen == policies.left_out == (3 if trip.numbers < (3, 4) else 0)


# -- From the newest to the old server --------------------------------------------------------------------------------


def test_only_what_the_version_lacks_is_dropped(trip: Trip) -> None:
    """What is dropped, and what is refused as a whole, is what that version has no place for, and nothing else."""
    forth, _ = trip.there()
    refused = keys_by_state(forth, "not-held", "not-offered")
    assert refused == REFUSED[trip.version]
    assert places(dropped(forth), but=refused) == DROPPED[trip.version]


def test_everything_else_arrives(trip: Trip) -> None:
    """What is neither refused nor met by a fault of the server itself is made."""
    forth, _ = trip.there()
    broken = BROKEN.get(trip.version, set())
    assert keys_by_state(forth, "rejected", "waits-for") == broken
    made = keys_by_state(forth, "created", "created-without-secret", "exists-same")
    assert made == {each.record.key for each in trip.newest.records} - broken - REFUSED[trip.version]


def test_drops_are_planned(trip: Trip) -> None:
    """The plan, made before the first write, names every drop that the outcomes name."""
    forth, _ = trip.there()
    assert planned(forth) == dropped(forth)


def test_the_old_server_has_all_at_the_second_import(trip: Trip) -> None:
    """What was dropped makes no difference later: only what the server itself fails at is tried again."""
    _, again = trip.there()
    broken = BROKEN.get(trip.version, set())
    assert again.reasons().get("exists-differs", 0) == 0
    assert keys_by_state(again, "rejected", "waits-for") == broken
    assert again.sent.writes == 0 or broken


def test_reading_back_says_what_could_not_be_held(trip: Trip) -> None:
    """``verify --to`` finds the rest the same, and names what was dropped."""
    forth, _ = trip.there()
    assert trip.plan is not None
    found = {each.key: each.reason for each in trip.plan.actions}
    assert {each.key: each.dropped for each in trip.plan.actions if each.dropped} == dropped(forth)
    made = keys_by_state(forth, "created", "created-without-secret", "exists-same")
    assert {found[key] for key in made} == {"exists-same"}


# -- The table --------------------------------------------------------------------------------------------------------


def test_the_table_says_what_was_found(trip: Trip, request: pytest.FixtureRequest) -> None:
    """The recorded results, from which docs/versions.md is made, are those of this run; ``--record`` writes them."""
    result = Result(
        newest=way(trip.back[0]), old=None if trip.forth is None else way(trip.forth[0]), left_out=left_out(trip.bundle)
    )
    if request.config.getoption("--record"):
        write(trip.version, result)
    assert recorded()[trip.version] == result


def way(imported: Imported) -> Way:
    refused = keys_by_state(imported, "not-held", "not-offered")
    return Way(
        resources=len(imported.result.outcomes),
        arrived=len(keys_by_state(imported, "created", "created-without-secret", "exists-same")),
        without_fields=len(dropped(imported).keys() - refused),
        dropped=tuple(sorted(places(dropped(imported), but=refused))),
        refused=tuple(sorted(refused)),
        failed=tuple(
            sorted(why(each) for each in imported.result.outcomes if each.reason in {"rejected", "waits-for"})
        ),
    )


def why(failed: Outcome) -> str:
    """A failure and its reason as the report of the run has them, but for the address of the server."""
    reason = re.sub(r" on \S+:[0-9]+:", ":", failed.detail) or f"waits for {', '.join(failed.waits_for)}"
    return f"{failed.key}: {reason}"


def left_out(bundle: Bundle) -> dict[str, int]:
    return {f"{each.kind} {each.reason}": each.count for each in bundle.manifest.left_out if each.reason != "built-in"}


# -- What versions write otherwise ------------------------------------------------------------------------------------

# Derived, or a second name for what is compared too; and block types that Prefect 2 brings along by itself.
DERIVED = (
    "deployment:* /work_queue_id",
    "deployment:* /is_schedule_active",
    "deployment:* /schedule",
    "block-type:*",
    "block-schema:*",
)
NAMED = re.compile(r"#[0-9a-f]{10}")
MISSING = object()


def is_spelling(line: str) -> bool:
    """Whether a line of the comparison only says that one version writes what another one writes otherwise."""
    found = sides(line)
    place = found[0] if found else line
    if any(fnmatchcase(place, pattern) for pattern in DERIVED):
        return True
    where = re.sub(r"/[0-9]+", "/*", f"/{place.partition(' /')[2]}")
    return found is not None and (where in GONE or is_same(*found[1:]))


def sides(line: str) -> tuple[str, Any, Any] | None:
    """The place and both values of a line; None where something is at one side only, or shown in part.

    A name may hold colons too: the place ends at the first one behind which both values can be read.
    """
    for colon in re.finditer(": ", line):
        one, _, other = line[colon.end() :].partition(" != ")
        with suppress(ValueError):
            return line[: colon.start()], value(one), value(other)
    return None


def without_own_limits(lines: list[str]) -> list[str]:
    """The lines but for pairs that say one thing: in 3.0.0 a number of the deployment, and a limit of its own since."""
    numbers = [found for line in lines if (found := re.fullmatch(r"(.*) /concurrency_limit: ([0-9]+) != null", line))]
    own = '{{"own": {{"active": true, "limit": {}, "slot_decay_per_second": 0.0}}}}'
    pairs = [{each[0], f"{each[1]} /global_concurrency_limit: null != {own.format(each[2])}"} for each in numbers]
    same = {line for pair in pairs if pair <= set(lines) for line in pair}
    return [line for line in lines if line not in same]


def value(text: str) -> Any:
    """What a side of a line shows; hashes in names count for nothing: they are of bodies compared elsewhere."""
    return MISSING if text == "(absent)" else json.loads(NAMED.sub("", text))


def is_same(old: Any, new: Any) -> bool:
    if is_empty(old) and is_empty(new):
        return True
    if isinstance(old, str) and isinstance(new, str):
        begun = re.sub(r"^DTSTART:[0-9]{8}T[0-9]{6}\n", "", new)
        return new in {old, old.replace("+00:00", "Z")} or (begun == old and old.startswith("FREQ="))
    return bool(old == new)


def is_empty(found: Any) -> bool:
    if isinstance(found, dict):
        return all(map(is_empty, found.values()))
    return found is MISSING or found in (None, "", [], 0, False)
