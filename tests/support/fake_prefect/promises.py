"""What holds after every single write of xfer, in the middle of an import as much as at its end.

* Nothing is created running: an automation is disabled at first, and a deployment has no active schedule.
* What carries the mark of an unfinished resource stays off: an automation is not enabled, and a deployment gets no
  schedule that is active before it is complete.
* What starts something comes last: once a run has switched anything on, it creates nothing more.
* A secret that is live stays what it is, unless the new value was supplied with the import.

A promise that is broken fails the test, whatever becomes of the exception: it is raised by the write and by every
write after it, and kept in ``BROKEN``, which is looked at after each test (``tests/conftest.py``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from support.fake_prefect.store import LIMITS, Json, Row, Store

BROKEN: list[str] = []
_MARK = "xfer:pending:"
_PLACEHOLDER = "xfer: this secret was not supplied"

Place = tuple[str, ...]
"""Where a secret is: the id of its block document, and the way into the data."""


class Promises:
    """Watches the writes to one store; ``supplied`` are the secrets that may be written over others."""

    def __init__(self) -> None:
        self.supplied: Collection[Json] = ()
        self._broken = ""
        self._have_switched_on: set[str] = set()

    @contextmanager
    def kept(self, store: Store, run: str) -> Iterator[None]:
        """Judge one write of a run by what it leaves behind."""
        count, ids, secrets = _count(store), _ids(store), _live_secrets(store)
        running = _running(store)
        yield
        started = _running(store) - running
        self._expect(started <= ids, "created running")
        self._expect(not started & _unfinished(store, "automations"), "an unfinished automation was enabled")
        unfinished = [store.tables["deployments"][each] for each in _unfinished(store, "deployments")]
        self._expect(
            all(ids.issuperset(_active(each)) for each in unfinished), "an unfinished deployment was scheduled"
        )
        self._expect(
            _count(store) <= count or run not in self._have_switched_on, "created after something was switched on"
        )
        self._expect(not self._lost(store, secrets), "a live secret was written over")
        if started:
            self._have_switched_on.add(run)

    def _lost(self, store: Store, secrets: Mapping[Place, Json]) -> list[Place]:
        """The live secrets that another value came over; not those that were deleted with their document."""
        now = _live_secrets(store)
        kept = {place: value for place, value in secrets.items() if place[0] in store.tables["block_documents"]}
        return [
            place for place, value in kept.items() if value != now.get(place) and now.get(place) not in self.supplied
        ]

    def _expect(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - as ``assert``
        if not holds and not self._broken:
            self._broken = otherwise
            BROKEN.append(otherwise)
        assert not self._broken, self._broken


def _count(store: Store) -> int:
    """How many rows there are, limits aside: a deployment may get one of its own at any time."""
    return sum(len(rows) for name, rows in store.tables.items() if name != LIMITS)


def _ids(store: Store) -> set[str]:
    """All that can start something: automations, deployments and their schedules."""
    schedules = [each["id"] for row in store.rows("deployments") for each in row["schedules"]]
    return {*store.tables["automations"], *store.tables["deployments"], *schedules}


def _running(store: Store) -> set[str]:
    """What starts something by itself, by id: enabled automations, and deployments with active schedules."""
    return {
        *(row["id"] for row in store.rows("automations", enabled=True)),
        *(row["id"] for row in store.rows("deployments", paused=False) if any(_active(row))),
    }


def _active(deployment: Row) -> list[str]:
    """The schedules that are active, by id."""
    return [each["id"] for each in deployment["schedules"] if each["active"]]


def _unfinished(store: Store, table: str) -> set[str]:
    """What carries the mark, by id."""
    return {row["id"] for row in store.rows(table) if _MARK in f"{row['description']} {row['tags']}"}


def _live_secrets(store: Store) -> dict[Place, Json]:
    """The values of all that block schemas call secret, but for placeholders and what is empty."""
    found: dict[Place, Json] = {}
    for row in store.rows("block_documents"):
        for field in store.tables["block_schemas"][row["block_schema_id"]]["fields"].get("secret_fields") or ():
            found |= dict(_values(row["data"], tuple(field.split(".")), (row["id"],)))
    return {place: value for place, value in found.items() if not _is_placeholder(value)}


def _values(value: Json, way: Place, place: Place) -> Iterator[tuple[Place, Json]]:
    if isinstance(value, list) and way:
        members = {str(number): each for number, each in enumerate(value)}
        yield from _values(members, ("*", *way), place)
    elif not way:
        yield place, value
    elif isinstance(value, dict):
        for name in value if way[0] == "*" else value.keys() & {way[0]}:
            yield from _values(value[name], way[1:], (*place, name))


def _is_placeholder(value: Json) -> bool:
    return value in (None, "", [], {}) or _PLACEHOLDER in json.dumps(value)
