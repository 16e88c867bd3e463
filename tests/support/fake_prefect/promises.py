"""What holds after every single write of xfer, in the middle of an import as much as at its end.

* Nothing is created running: an automation is disabled at first, and a deployment has no active schedule.
* An automation that carries the mark of an unfinished resource is not enabled.
* What starts something comes last: once a run has switched anything on, it creates nothing more.
* A secret that is live stays what it is, unless the new value was supplied with the import.

A promise that is broken fails the test, whatever becomes of the exception: it is raised by the write and by every
write after it, and kept in ``BROKEN``, which is looked at after each test (``tests/conftest.py``).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager

from support.fake_prefect.store import LIMITS, Json, Store

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
        count, ids, running, secrets = _count(store), _ids(store), _running(store), _live_secrets(store)
        yield
        started = _running(store) - running
        self._expect(started <= ids, "created running")
        self._expect(not started & _unfinished_automations(store), "an unfinished automation was enabled")
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
    """All that could start something."""
    return {*store.tables["automations"], *store.tables["deployments"]}


def _running(store: Store) -> set[str]:
    """What starts something by itself, by id: enabled automations, and deployments with active schedules."""
    deployments = [row["id"] for row in store.rows("deployments") if any(each["active"] for each in row["schedules"])]
    return {*(row["id"] for row in store.rows("automations", enabled=True)), *deployments}


def _unfinished_automations(store: Store) -> set[str]:
    return {row["id"] for row in store.rows("automations") if _MARK in (row["description"] or "")}


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
