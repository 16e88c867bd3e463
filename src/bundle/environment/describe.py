"""Turns what was read from a server into portable records. Pure.

The steps, in order:

    rows of every kind ─→ natural names ─→ portable bodies ─→ secrets out ─→ ids out
        ─→ what nothing needs is left out ─→ equal names told apart ─→ records

Source and destination are described by the same code, so that comparing two
environments is comparing two sets of records.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator, Mapping

import msgspec

from bundle.container.limits import Limits
from bundle.container.lines import record_problem
from bundle.environment.account import Unseen, census_of, findings_of_unseen, left_out, lost_need
from bundle.environment.findings import findings_of, unresolved_names
from bundle.environment.keys import Draft, final_keys
from bundle.environment.lookup import Lookup
from bundle.environment.read import Reading, Rows
from bundle.environment.reader import Malformed, malformed
from bundle.environment.validation import is_bound
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Raw
from bundle.model import (
    Body,
    Count,
    Finding,
    JsonType,
    Key,
    LeftOut,
    Pointer,
    Record,
    Reference,
    Secret,
)
from bundle.record.canonical import encode, make_record
from bundle.record.pointers import replace_all
from bundle.record.references import cut
from bundle.record.secrets import slot_id
from bundle.record.suspects import suspects


class Environment(msgspec.Struct, frozen=True, dict=True):
    """An environment in portable form, with the ids and rows behind each key, and what of it could not be read."""

    records: dict[Key, Record]
    ids: dict[Key, str]
    rows: dict[str, Raw]
    census: dict[str, Count]
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()
    unseen: Unseen = Unseen()

    @functools.cached_property
    def keys(self) -> dict[str, Key]:
        """The key of each id; made once."""
        return {identifier: key for key, identifier in self.ids.items()}


def describe(
    reading: Reading, *, redact: bool = False, everything: bool = False, kinds: Mapping[str, Kind] = KINDS
) -> Environment:
    """The portable form of what was read.

    A row of which no record can be made costs no other row anything: it is left out, with what belongs to it.

    Args:
        reading: the rows.
        redact: turn values that look like secrets into placeholders too.
        everything: keep also what nothing needs, and what no bundle could hold, as for a destination.
        kinds: the kinds that ``reading`` holds.
    """
    counts = {kind: count for kind, count in reading.counts.items() if count is not None}
    unseen = Unseen(reading.malformed, reading.unreadable, counts)
    seen = {kind: reading.seen(kind) for kind in reading.rows}
    rows: Rows = reading.rows
    while True:
        attempt = _Description(Lookup(rows, kinds), unseen, seen, redact=redact, everything=everything)
        environment = attempt.environment()
        if environment is not None:
            return environment
        unseen = unseen.with_failed(attempt.failed.values())
        rows = {name: [row for row in each if row["id"] not in attempt.failed] for name, each in rows.items()}


class _Description:
    """One attempt to describe some rows; ``failed`` has those of which no record can be made, by id."""

    def __init__(
        self, look: Lookup, unseen: Unseen, seen: Mapping[str, int], *, redact: bool, everything: bool
    ) -> None:
        self._look, self._unseen, self._seen = look, unseen, seen
        self._redact, self._everything = redact, everything
        self._drafts: list[Draft] = []
        self._optional: dict[str, str] = {}
        self._dropped: dict[str, str] = {}
        self.failed: dict[str, tuple[Kind, Malformed]] = {}

    def environment(self) -> Environment | None:
        """What the rows are; None where any have failed."""
        for steps in (self._name, self._sort_out, self._make_drafts):
            steps()
            if self.failed:
                return None
        drafts = self._drafts
        self._dropped |= _unneeded(drafts, self._optional, self._look)
        drafts = [draft for draft in drafts if draft.id not in self._dropped]
        keys = final_keys(drafts, self._look)
        records: dict[Key, Record] = {}
        findings = [*findings_of_unseen(self._unseen)]
        for draft in drafts:
            with self._containing(draft.kind, draft.raw):
                records[keys[draft.id]] = self._record(draft, keys)
                findings += findings_of(draft, keys)
        if self.failed:
            return None
        return Environment(
            records=dict(sorted(records.items())),
            ids={keys[draft.id]: draft.id for draft in drafts},
            rows={draft.id: draft.raw for draft in drafts},
            census=census_of(self._seen, self._look, self._dropped, self._unseen),
            left_out=left_out(self._dropped, self._look, self._unseen),
            findings=tuple(sorted(set(findings) | set(unresolved_names(records)), key=msgspec.json.encode)),
            unseen=self._unseen,
        )

    def _name(self) -> None:
        """Find out what each row is called."""
        for identifier, kind, row in self._look:
            self._look.name(identifier)
            if identifier in self._look.nameless:
                self._fail(kind, row, f"it has no name that makes sense ({self._look.nameless[identifier]})")

    def _sort_out(self) -> None:
        """Find out which rows do not travel, and which belong to what could not be read."""
        for identifier, kind, row in self._look:
            with self._containing(kind, row):
                if (field := lost_need(kind, row, self._look, self._unseen)) is not None:
                    self._fail(kind, row, f"what it has at {field} could not be read", "orphan")
                elif reason := kind.left_out(row, self._look):
                    self._dropped[identifier] = reason

    def _make_drafts(self) -> None:
        """Describe each row that travels, and find out which do so only if needed."""
        for identifier, kind, row in self._look:
            if identifier in self._dropped:
                continue
            with self._containing(kind, row):
                self._drafts.append(_draft(identifier, kind, row, self._look, self._dropped, redact=self._redact))
                if not self._everything and (reason := kind.optional(row, self._look)):
                    self._optional[identifier] = reason

    def _record(self, draft: Draft, keys: Mapping[str, Key]) -> Record:
        record = _record(draft, keys)
        problem = None if self._everything else _problem(record)
        if problem is not None:
            self._fail(draft.kind, draft.raw, problem)
        return record

    def _fail(self, kind: Kind, row: Raw, problem: str, reason: str = "not-portable") -> None:
        self.failed[row["id"]] = kind, malformed(kind, row, problem, reason)

    @contextlib.contextmanager
    def _containing(self, kind: Kind, row: Raw) -> Iterator[None]:
        """Whatever a row does to the code that works on it, it does to itself alone."""
        try:
            yield
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the account says that it happened, and where
            self._fail(kind, row, f"xfer cannot make sense of it ({type(error).__name__})")


def _problem(record: Record) -> str | None:
    """Why no bundle can hold a record, without any value; None where one can."""
    problem = KINDS[record.kind].misfit_of_body(record.body) if record.kind in KINDS else None
    if problem is None:
        problem = record_problem(record, encode(record), Limits())
    if problem is None and not is_bound(record):
        problem = "its name is not that of its content"
    return problem


def _draft(identifier: str, kind: Kind, raw: Raw, look: Lookup, dropped: Mapping[str, str], *, redact: bool) -> Draft:
    body = kind.portable(raw, look)
    places: dict[Pointer, JsonType] = dict(kind.secret_places(raw, body, look))
    redacted = _redacted(kind, body, places) if redact and kind.holds_values else {}
    places |= redacted
    bare = replace_all(body, dict.fromkeys(places))
    done = cut(bare, lambda each: each in look and each not in dropped, look.key)
    names = tuple((place, look.readable_key(key)) for place, key in kind.names(body) if place not in redacted)
    if any(hit.form == "member" for hit in done.found):
        names = tuple((look.readable_pointer(place), key) for place, key in names)
        places = {look.readable_pointer(place): kind_ for place, kind_ in places.items()}
    return Draft(identifier, kind, raw, done, places, names)


def _redacted(kind: Kind, body: Body, places: Mapping[Pointer, JsonType]) -> dict[Pointer, JsonType]:
    """What is suspected and taken out; a resource is never without its name."""
    found = suspects(body).items()
    return {place: form for place, form in found if place != f"/{kind.name_field}" and not _is_covered(place, places)}


def _is_covered(place: str, places: Mapping[Pointer, JsonType]) -> bool:
    return any(place == known or place.startswith(known + "/") for known in places)


def _unneeded(drafts: list[Draft], optional: Mapping[str, str], look: Lookup) -> dict[str, str]:
    """Resources that are exported only if needed, and are not."""
    by_id = {each.id: each for each in drafts}
    by_name = {look.key(each.id): each.id for each in drafts}
    needed = [each.id for each in drafts if each.id not in optional]
    seen = set(needed)
    while needed:
        draft = by_id[needed.pop()]
        targets = {hit.id for hit in draft.cut.found} | {by_name[key] for _, key in draft.names if key in by_name}
        needed += targets - seen
        seen |= targets
    return {identifier: reason for identifier, reason in optional.items() if identifier not in seen}


def _record(draft: Draft, keys: Mapping[str, Key]) -> Record:
    key = keys[draft.id]
    by_id = [Reference(hit.pointer, keys[hit.id], hit.form, hit.offset) for hit in draft.cut.found]
    by_name = [Reference(place, target, "name") for place, target in dict.fromkeys(draft.names)]
    secrets = [Secret(place, slot_id(key, place), kind) for place, kind in draft.secrets.items()]
    return make_record(key, draft.cut.body, (*by_id, *by_name), secrets)
