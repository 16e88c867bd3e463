"""Turns what was read from a server into portable records. Pure.

The steps, in order:

    rows of every kind ─→ natural names ─→ portable bodies ─→ secrets out ─→ ids out
        ─→ what nothing needs is left out ─→ equal names told apart ─→ records

Source and destination are described by the same code, so that comparing two
environments is comparing two sets of records.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

import msgspec

from bundle.environment.read import Reading, Rows
from bundle.errors import BundleError
from bundle.kinds import KINDS
from bundle.kinds.base import Kind, Raw
from bundle.model import Count, Finding, JsonType, Key, LeftOut, Pointer, Record, Reference, Secret
from bundle.record.canonical import encode, make_record, sha256_hex
from bundle.record.pointers import join, split
from bundle.record.references import Cut, cut, replace_ids
from bundle.record.secrets import slot_id, suspects, take_out

_HASH_DIGITS = 8
_NAMES_LISTED = 20


class Environment(msgspec.Struct, frozen=True):
    """An environment in portable form, with the ids and rows behind each key."""

    records: dict[Key, Record]
    ids: dict[Key, str]
    rows: dict[str, Raw]
    census: dict[str, Count]
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def keys(self) -> dict[str, Key]:
        """The key of each id."""
        return {identifier: key for key, identifier in self.ids.items()}


class _Look:
    """Names and rows by id."""

    def __init__(self, rows: Rows, kinds: Mapping[str, Kind]) -> None:
        self._kinds = kinds
        self._rows = rows
        self._by_id = {str(row["id"]): (kinds[name], row) for name, each in rows.items() for row in each}
        self._names: dict[str, str] = {}
        self._indexes: dict[tuple[str, str], dict[str, list[Raw]]] = {}

    def raw(self, identifier: str | None) -> Raw | None:
        found = self._by_id.get(identifier or "")
        return found[1] if found else None

    def name(self, identifier: str | None) -> str | None:
        if identifier not in self._by_id:
            return None
        if identifier not in self._names:
            kind, row = self._by_id[identifier]
            # Names that contain each other's ids would never end; the kind's name breaks the circle.
            self._names[identifier] = kind.name
            self._names[identifier] = self._readable(kind.natural_name(row, self))
        return self._names[identifier]

    def _readable(self, name: str) -> str:
        return replace_ids(name, self.name)

    def readable_key(self, key: Key) -> Key:
        """A key made of names, in which ids are replaced as they are in names."""
        return replace_ids(key, self.name)

    def readable_pointer(self, pointer: Pointer) -> Pointer:
        """A pointer into a body in which ids in member names have given way to keys."""
        return join(*(replace_ids(token, self._key_or_none) for token in split(pointer)))

    def _key_or_none(self, identifier: str) -> Key | None:
        return self.key(identifier) if identifier in self else None

    def key(self, identifier: str) -> Key:
        """The natural key, which several resources may share."""
        return f"{self._by_id[identifier][0].name}:{self.name(identifier)}"

    def index(self, kind: str, field: str) -> Mapping[str, list[Raw]]:
        if (kind, field) not in self._indexes:
            index: dict[str, list[Raw]] = {}
            for row in self._rows.get(kind, ()):
                index.setdefault(str(row.get(field)), []).append(row)
            self._indexes[kind, field] = index
        return self._indexes[kind, field]

    def __contains__(self, identifier: str) -> bool:
        return identifier in self._by_id

    def __iter__(self) -> Iterator[tuple[str, Kind, Raw]]:
        return iter([(identifier, kind, row) for identifier, (kind, row) in self._by_id.items()])


class _Draft(msgspec.Struct, frozen=True):
    """A resource on its way to a record: ids and secrets are out, the key is not final."""

    id: str
    kind: Kind
    raw: Raw
    cut: Cut
    secrets: dict[Pointer, JsonType]
    names: tuple[tuple[str, Key], ...]


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
    look = _Look(reading.rows, kinds)
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
    keys = _final_keys(drafts, look)
    records = {keys[draft.id]: _record(draft, keys) for draft in drafts}
    findings = [finding for draft in drafts for finding in _findings(draft, keys)]
    return Environment(
        records=dict(sorted(records.items())),
        ids={keys[draft.id]: draft.id for draft in drafts},
        rows={draft.id: draft.raw for draft in drafts},
        census=_census(reading.rows, dropped),
        left_out=_left_out(dropped, look),
        findings=tuple(sorted(set(findings) | set(_unresolved(records)), key=msgspec.json.encode)),
    )


def _draft(identifier: str, kind: Kind, raw: Raw, look: _Look, dropped: Mapping[str, str], *, redact: bool) -> _Draft:
    body = kind.portable(raw, look)
    places: dict[Pointer, JsonType] = dict(kind.secret_places(raw, body, look))
    if redact and kind.holds_values:
        places |= {place: "string" for place in suspects(body) if not _is_covered(place, places)}
    bare, _ = take_out("", body, places)
    done = cut(bare, lambda each: each in look and each not in dropped, look.key)
    names = tuple((place, look.readable_key(key)) for place, key in kind.names(body))
    if any(hit.form == "member" for hit in done.found):
        names = tuple((look.readable_pointer(place), key) for place, key in names)
        places = {look.readable_pointer(place): kind_ for place, kind_ in places.items()}
    return _Draft(identifier, kind, raw, done, places, names)


def _is_covered(place: str, places: Mapping[Pointer, JsonType]) -> bool:
    return any(place == known or place.startswith(known + "/") for known in places)


def _unneeded(drafts: list[_Draft], look: _Look) -> dict[str, str]:
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


def _final_keys(drafts: list[_Draft], look: _Look) -> dict[str, Key]:
    """A key for each id; equal natural keys are told apart by a hash of the content."""
    groups: dict[Key, list[_Draft]] = defaultdict(list)
    referrers: dict[str, list[Key]] = defaultdict(list)
    for draft in drafts:
        groups[look.key(draft.id)].append(draft)
        for hit in draft.cut.found:
            referrers[hit.id].append(look.key(draft.id))
    keys: dict[str, Key] = {}
    for natural, group in groups.items():
        if len(group) == 1 and not group[0].kind.is_content_named(group[0].raw):
            keys[group[0].id] = natural
        else:
            keys |= _told_apart(natural, group, referrers, look)
    return keys


def _told_apart(natural: Key, group: list[_Draft], referrers: Mapping[str, list[Key]], look: _Look) -> dict[str, Key]:
    """Twins of equal content are told apart by who refers to them, at last by their age."""

    def order(draft: _Draft) -> tuple[str, list[Key], str]:
        return _content_hash(draft, look), sorted(referrers.get(draft.id, ())), str(draft.raw.get("created"))

    keys: dict[str, Key] = {}
    used: dict[str, int] = defaultdict(int)
    for draft in sorted(group, key=order):
        suffix = _content_hash(draft, look)
        used[suffix] += 1
        twin = f".{used[suffix]}" if used[suffix] > 1 else ""
        keys[draft.id] = f"{natural}~{suffix}{twin}"
    return keys


def _content_hash(draft: _Draft, look: _Look) -> str:
    deep = draft.kind.deep_fields
    references = [
        [hit.pointer, look.key(hit.id), hit.form, hit.offset]
        for hit in sorted(draft.cut.found, key=lambda each: (each.pointer, each.offset))
        if hit.pointer.split("/")[1] not in deep
    ]
    body = {name: value for name, value in draft.cut.body.items() if name not in deep}
    return sha256_hex(encode([body, references, sorted(draft.secrets)]))[:_HASH_DIGITS]


_SUFFIX = re.compile(r"^((?:[^~]|~~)*)~[0-9a-f]{8}(?:\.\d+)?$")


def identity(key: Key, kind: Kind) -> Key:
    """The key without the suffix that tells equal names apart."""
    match = None if kind.unique_names else _SUFFIX.match(key)
    return match[1] if match and not match[1].endswith("/(anonymous)") else key


def _record(draft: _Draft, keys: Mapping[str, Key]) -> Record:
    key = keys[draft.id]
    by_id = [Reference(hit.pointer, keys[hit.id], hit.form, hit.offset) for hit in draft.cut.found]
    by_name = [Reference(place, target, "name") for place, target in dict.fromkeys(draft.names)]
    secrets = [Secret(place, slot_id(key, place), kind) for place, kind in draft.secrets.items()]
    return make_record(key, draft.cut.body, (*by_id, *by_name), secrets)


_ID_FIELD = re.compile(r"(_id|/owner_resource)$")
_ID_LABEL = re.compile(r"/(match|match_related)(/|$)")


def _findings(draft: _Draft, keys: Mapping[str, Key]) -> Iterator[Finding]:
    key = keys[draft.id]
    own = list(draft.kind.findings(draft.raw))
    foreign = {place for code, place, _ in own if code == "not-portable"}
    for place, identifier in draft.cut.unexplained:
        if place in foreign:
            continue
        if _ID_FIELD.search(place) or _ID_LABEL.search(place):
            yield Finding("dangling-reference", key, place, identifier)
        else:
            yield Finding("unexplained-uuid", key, place)
    for place in suspects(draft.cut.body) if draft.kind.holds_values else ():
        yield Finding("secret-suspected", key, place)
    for name in draft.kind.unknown_fields(draft.cut.body):
        yield Finding("unknown-field", key, f"/{name}")
    for code, place, detail in own:
        yield Finding(code, key, place, detail)


def _unresolved(records: Mapping[Key, Record]) -> Iterator[Finding]:
    for key, record in records.items():
        for reference in record.references:
            if reference.form == "name" and reference.target not in records:
                yield Finding("unresolved-name", key, reference.pointer, reference.target)


def _census(rows: Rows, dropped: Mapping[str, str]) -> dict[str, Count]:
    census = {}
    for kind, each in rows.items():
        left_out = sum(str(row["id"]) in dropped for row in each)
        census[kind] = Count(seen=len(each), exported=len(each) - left_out, left_out=left_out)
    return census


def _left_out(dropped: Mapping[str, str], look: _Look) -> tuple[LeftOut, ...]:
    groups: dict[tuple[str, str], list[str]] = defaultdict(list)
    for identifier, reason in dropped.items():
        kind, _, name = look.key(identifier).partition(":")
        groups[kind, reason].append(name)
    return tuple(
        LeftOut(kind, reason, len(names), () if reason == "built-in" else tuple(sorted(names)[:_NAMES_LISTED]))
        for (kind, reason), names in sorted(groups.items())
    )
