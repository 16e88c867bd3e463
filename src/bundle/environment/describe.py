"""Turns what was read from a server into portable records. Pure.

The steps, in order:

    rows of every kind ─→ natural names ─→ portable bodies ─→ secrets out ─→ ids out
        ─→ what nothing needs is left out ─→ equal names told apart ─→ records

Source and destination are described by the same code, so that comparing two
environments is comparing two sets of records.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from bundle.environment.findings import findings_of, unresolved_names
from bundle.environment.keys import Draft, final_keys
from bundle.environment.lookup import Lookup
from bundle.environment.read import Reading, Rows
from bundle.errors import BundleError
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
    kind_of,
    name_of,
)
from bundle.record.canonical import make_record
from bundle.record.pointers import replace_all
from bundle.record.references import cut
from bundle.record.secrets import slot_id
from bundle.record.suspects import suspects

_NAMES_LISTED = 20


class Environment(msgspec.Struct, frozen=True, dict=True):
    """An environment in portable form, with the ids and rows behind each key."""

    records: dict[Key, Record]
    ids: dict[Key, str]
    rows: dict[str, Raw]
    census: dict[str, Count]
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()

    @functools.cached_property
    def keys(self) -> dict[str, Key]:
        """The key of each id; made once."""
        return {identifier: key for key, identifier in self.ids.items()}


def describe(
    reading: Reading, *, redact: bool = False, everything: bool = False, kinds: Mapping[str, Kind] = KINDS
) -> Environment:
    """The portable form of what was read.

    Args:
        reading: the rows.
        redact: turn values that look like secrets into placeholders too.
        everything: keep also what nothing needs, as for a destination.
        kinds: the kinds that ``reading`` holds.

    Raises:
        BundleError: something is nested too deeply for anybody.
    """
    try:
        return _described(reading, redact=redact, everything=everything, kinds=kinds)
    except RecursionError:
        raise BundleError(
            "the server answered a resource that is nested too deeply", hint="look for values of some hundred levels"
        ) from None


def _described(reading: Reading, *, redact: bool, everything: bool, kinds: Mapping[str, Kind]) -> Environment:
    look = Lookup(reading.rows, kinds)
    dropped = {identifier: reason for identifier, kind, row in look if (reason := kind.left_out(row, look))}
    drafts = [
        _draft(identifier, kind, row, look, dropped, redact=redact)
        for identifier, kind, row in look
        if identifier not in dropped
    ]
    if not everything:
        unneeded = _unneeded(drafts, look)
        dropped |= unneeded
        drafts = [draft for draft in drafts if draft.id not in unneeded]
    keys = final_keys(drafts, look)
    records = {keys[draft.id]: _record(draft, keys) for draft in drafts}
    findings = [finding for draft in drafts for finding in findings_of(draft, keys)]
    return Environment(
        records=dict(sorted(records.items())),
        ids={keys[draft.id]: draft.id for draft in drafts},
        rows={draft.id: draft.raw for draft in drafts},
        census=_census(reading.rows, dropped),
        left_out=_left_out(dropped, look),
        findings=tuple(sorted(set(findings) | set(unresolved_names(records)), key=msgspec.json.encode)),
    )


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


def _unneeded(drafts: list[Draft], look: Lookup) -> dict[str, str]:
    """Resources that are exported only if needed, and are not."""
    optional = {each.id: reason for each in drafts if (reason := each.kind.optional(each.raw, look))}
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


def _census(rows: Rows, dropped: Mapping[str, str]) -> dict[str, Count]:
    census = {}
    for kind, each in rows.items():
        left_out = sum(str(row["id"]) in dropped for row in each)
        census[kind] = Count(seen=len(each), exported=len(each) - left_out, left_out=left_out)
    return census


def _left_out(dropped: Mapping[str, str], look: Lookup) -> tuple[LeftOut, ...]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for identifier, reason in dropped.items():
        key = look.key(identifier)
        groups[kind_of(key), reason].append(name_of(key))
    return tuple(
        LeftOut(kind, reason, len(names), () if reason == "built-in" else tuple(sorted(names)[:_NAMES_LISTED]))
        for (kind, reason), names in sorted(groups.items())
    )
