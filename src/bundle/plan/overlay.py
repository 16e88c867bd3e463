"""Changes a bundle on its way: names mapped, values set, fields patched (``--map``, ``--set``, ``--overlay``).

Rules:

1. A mapped name is changed in the resource itself, in the keys of what it contains (a pool's queues, a flow's
   deployments) and wherever anything refers to it by name. Keys in an overlay are those of the bundle.
2. A patch is a JSON merge patch (RFC 7396) to the body or to parts of it. It gives fields that the kind has, and
   leaves the name alone.
3. What a patch replaces is no reference and no secret any more, but what it says.
4. An entry that matches nothing is a mistake, and refused; so are two resources that would get one key.

Pure: no I/O.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bundle.environment.describe import identity
from bundle.environment.selection import EVERYTHING, Selection, kind_of, matches, select
from bundle.environment.validation import checked
from bundle.errors import UsageError
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.naming import renamed
from bundle.model import Body, Bundle, Json, Key, Placed, Pointer, Record, Reference
from bundle.record.canonical import make_record
from bundle.record.pointers import join, replace_all, resolve, split, stands
from bundle.record.references import put_back


class Patch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A change to the bodies of some resources.

    ``match`` is a pattern as in a selection. ``at`` is a JSON Pointer to the parts that are meant, in which ``*``
    stands for each item and ``name=value`` for the items in which that member has that value. ``merge`` is merged
    into each part, ``put`` takes its place, and what ``remove`` points to, seen from there, is taken away.
    """

    match: str
    at: Pointer = ""
    merge: Json | msgspec.UnsetType = msgspec.UNSET
    put: Json | msgspec.UnsetType = msgspec.UNSET
    remove: tuple[Pointer, ...] = ()


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different: new names by key, values of variables by key, patches in order."""

    map: dict[Key, str] = {}
    set: dict[Key, Json] = {}
    patch: tuple[Patch, ...] = ()


NO_OVERLAY = Overlay()

_LISTED = "`xfer inspect -v` lists the keys of a bundle"


class Wanted(msgspec.Struct, frozen=True):
    """A bundle as it is to be at the destination.

    ``chosen`` and ``external`` are keys after mapping; ``keys`` has the new key of each one that was mapped.
    """

    bundle: Bundle
    chosen: frozenset[Key]
    external: tuple[Key, ...]
    keys: dict[Key, Key]


def adapt(bundle: Bundle, selection: Selection = EVERYTHING, overlay: Overlay = NO_OVERLAY) -> Wanted:
    """What of a bundle is wanted, and how.

    Raises:
        UsageError: something matches nothing, cannot be renamed, or would not fit its kind.
        BundleRejected: a record is none of its kind.
    """
    stored = {placed.record.key: placed.record for placed in checked(bundle.records)}
    chosen = select(stored, selection)
    external = bundle.manifest.external or ()
    keys = _new_keys(bundle.records, external, overlay.map)
    patches = (*_values(overlay.set), *overlay.patch)
    patched = _patched(list(stored.values()), patches)
    records = tuple(
        Placed(placed.wave, _with_names(record, keys)) for placed, record in zip(bundle.records, patched, strict=True)
    )
    _refuse_equal(records)
    return Wanted(
        msgspec.structs.replace(bundle, records=records),
        frozenset(keys.get(key, key) for key in chosen),
        tuple(sorted({keys.get(key, key) for key in external})),
        keys,
    )


# Names


def _new_keys(records: Sequence[Placed], external: Iterable[Key], names: Mapping[Key, str]) -> dict[Key, Key]:
    """The new key of every key that changes, of records and of what they refer to."""
    if not names:
        return {}
    known = {placed.record.key for placed in records} | set(external)
    known |= {reference.target for placed in records for reference in placed.record.references}
    for key, name in names.items():
        _check_map(key, name, known)
    found = {key: _new_key(key, names) for key in known}
    return {key: new for key, new in found.items() if new != key}


def _check_map(key: Key, name: str, known: Iterable[Key]) -> None:
    kind = kind_of(key)
    if not any(key in {each, _plain(each)} for each in known):
        raise UsageError(f"nothing in the bundle is or names {key!r}, which is to be mapped", hint=_LISTED)
    if kind.name_field is None:
        raise UsageError(
            f"{key!r} cannot be mapped: a {kind.name} has no name of its own to change",
            hint="map what refers to it instead",
        )
    parent = _parts(key)[0]
    if "/" in name and kind.parent_kind and name.partition("/")[0] != parent:
        raise UsageError(
            f"{key!r} cannot be mapped to {name!r}: it stays where it is, {parent}",
            hint=f"give the new name alone, or map the {kind.parent_kind} too",
        )
    if re.fullmatch(kind.name_form, _own_name(kind, name)) is None:
        raise UsageError(
            f"{key!r} cannot be mapped to {name!r}: no server takes that as the name of a {kind.name}",
            hint=f"give another name: {kind.name_words}" if name else "give a name",
        )


def _plain(key: Key) -> Key:
    kind = KINDS.get(key.partition(":")[0])
    return identity(key, kind) if kind else key


def _parts(key: Key) -> tuple[str, str, str]:
    """The parent's name (empty where the kind has none), the own name, and the suffix that tells twins apart."""
    kind, _, name = _plain(key).partition(":")
    suffix = key[len(_plain(key)) :]
    if KINDS[kind].parent_kind is None:
        return "", name, suffix
    parent, _, own = name.partition("/")
    return parent, own, suffix


def _new_key(key: Key, names: Mapping[Key, str]) -> Key:
    kind = KINDS.get(key.partition(":")[0])
    if kind is None:
        return key
    parent, own, suffix = _parts(key)
    wanted = names.get(key, names.get(_plain(key)))
    if wanted is not None:
        own = _own_name(kind, wanted)
    parent = names.get(f"{kind.parent_kind}:{parent}", parent)
    return f"{kind.name}:{parent}/{own}{suffix}" if kind.parent_kind else f"{kind.name}:{own}{suffix}"


def _own_name(kind: Kind, name: str) -> str:
    """The last part of what a name is mapped to, which may have that of the parent before it."""
    return name.partition("/")[2] if "/" in name and kind.parent_kind else name


def _with_names(record: Record, keys: Mapping[Key, Key]) -> Record:
    """The record with all keys changed, its own and those that it refers to."""
    touched = [each for each in record.references if each.target in keys]
    if not touched and record.key not in keys:
        return record
    key = keys.get(record.key, record.key)
    members = [each for each in record.references if each.form == "member"]
    body = put_back(record.body, members, lambda each: keys.get(each.target, each.target))
    moved = _moves(members, keys)
    references = [
        Reference(_moved(each.pointer, moved), keys.get(each.target, each.target), each.form, each.offset)
        for each in record.references
    ]
    secrets = [msgspec.structs.replace(each, pointer=_moved(each.pointer, moved)) for each in record.secrets]
    named = {_moved(each.pointer, moved) for each in touched if each.form == "name"}
    body = replace_all(body, {place: renamed(resolve(body, place), keys, _named_at(record, place)) for place in named})
    return _checked(make_record(key, _with_own_name(body, record.key, key), references, secrets), named)


def _moves(members: Iterable[Reference], keys: Mapping[Key, Key]) -> dict[tuple[str, ...], str]:
    """New member names by the path of the old one."""
    found = {}
    for each in members:
        path = tuple(split(each.pointer))
        end = each.offset + len(each.target)
        found[path] = path[-1][: each.offset] + keys.get(each.target, each.target) + path[-1][end:]
    return found


def _moved(pointer: Pointer, moves: Mapping[tuple[str, ...], str]) -> Pointer:
    path = tuple(split(pointer))
    return join(*(moves.get(path[: place + 1], token) for place, token in enumerate(path))) if moves else pointer


def _named_at(record: Record, place: Pointer) -> frozenset[Key]:
    return frozenset(each.target for each in record.references if each.form == "name" and each.pointer == place)


def _with_own_name(body: Body, old: Key, new: Key) -> Body:
    field = KINDS[new.partition(":")[0]].name_field
    own = _parts(new)[1]
    # In keys of kinds without unique names a tilde is doubled.
    return body if field is None or own == _parts(old)[1] else body | {field: own.replace("~~", "~")}


def _checked(record: Record, places: Iterable[Pointer]) -> Record:
    """The record, if its kind finds every new name where the old one stood."""
    found = set(KINDS[record.kind].names(record.body))
    for each in record.references:
        if each.form == "name" and each.pointer in places and (each.pointer, each.target) not in found:
            raise UsageError(
                f"{record.key} names {each.target} at {each.pointer} in a way that cannot be mapped",
                hint="patch that place in an overlay file instead",
            )
    return record


def _refuse_equal(records: Iterable[Placed]) -> None:
    twice = [key for key, times in Counter(placed.record.key for placed in records).items() if times > 1]
    if twice:
        raise UsageError(f"two resources of the bundle would both be {twice[0]}", hint="map one of them elsewhere")


# Values and patches


def _values(values: Mapping[Key, Json]) -> Iterator[Patch]:
    for key, value in values.items():
        if not key.startswith("variable:"):
            raise UsageError(f"{key!r} has no value to set: only variables have", hint="use a patch in an overlay file")
        yield Patch(match=key, at="/value", put=value)


def _patched(records: list[Record], patches: Iterable[Patch]) -> list[Record]:
    for patch in patches:
        hits = [position for position, record in enumerate(records) if matches(patch.match, record.key)]
        changed = [(position, _with_patch(records[position], patch)) for position in hits]
        if not any(found for _, found in changed):
            where = f" at {patch.at!r}" if hits else ""
            raise UsageError(
                f"nothing in the bundle matches {patch.match!r}{where}, which is to be changed",
                hint="check the pointer; docs/overlay.md has the form" if hits else _LISTED,
            )
        records = list(records)
        for position, found in changed:
            records[position] = found or records[position]
    return records


def _with_patch(record: Record, patch: Patch) -> Record | None:
    """The record with one patch; None where it has no part that is meant."""
    parts = list(_parts_at(record.body, split(patch.at), ()))
    if not parts:
        return None
    body = record.body
    for part in parts:
        body = _replaced(body, part, _changed(resolve(body, part) if stands(body, part) else None, patch))
    _check_fields(record, body)
    kept = [
        each for each in record.references if each.form != "name" and _is_untouched(record.body, body, each.pointer)
    ]
    names = [Reference(place, target, "name") for place, target in dict.fromkeys(KINDS[record.kind].names(body))]
    secrets = [each for each in record.secrets if stands(body, each.pointer) and resolve(body, each.pointer) is None]
    return make_record(record.key, body, [*kept, *names], secrets)


def _parts_at(value: Json, tokens: Sequence[str], path: tuple[str, ...]) -> Iterator[Pointer]:
    """The places that a pointer with ``*`` and ``name=value`` means; a last plain member need not be there yet."""
    if not tokens:
        yield join(*path)
        return
    token, *rest = tokens
    if isinstance(value, list):
        for position, item in enumerate(value):
            if token in {"*", str(position)} or _has_member(item, token):
                yield from _parts_at(item, rest, (*path, str(position)))
    elif isinstance(value, dict) and (token in value or not rest):
        yield from _parts_at(value.get(token), rest, (*path, token))


def _has_member(item: Json, token: str) -> bool:
    name, equals, value = token.partition("=")
    return bool(equals) and isinstance(item, dict) and str(item.get(name)) == value


def _replaced(body: Body, part: Pointer, value: Json) -> Json:
    if not part:
        return value
    parent, _, _ = part.rpartition("/")
    members = resolve(body, parent)
    name = split(part)[-1]
    if isinstance(members, list):
        return replace_all(body, {part: value})
    changed = {**members, name: value}
    return replace_all(body, {parent: changed}) if parent else changed


def _changed(value: Json, patch: Patch) -> Json:
    value = value if patch.put is msgspec.UNSET else patch.put
    value = value if patch.merge is msgspec.UNSET else merge(value, patch.merge)
    for place in patch.remove:
        value = _without(value, split(place))
    return value


def merge(value: Json, patch: Json) -> Json:
    """A JSON merge patch applied to a value (RFC 7396): null removes a member."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), item)
    return result


def _without(value: Json, tokens: Sequence[str]) -> Json:
    token, *rest = tokens
    if isinstance(value, dict) and token in value:
        if rest:
            return value | {token: _without(value[token], rest)}
        return {name: item for name, item in value.items() if name != token}
    raise UsageError(f"the overlay removes {token!r}, which is not there", hint="check its pointers")


def _is_untouched(old: Body, new: Body, place: Pointer) -> bool:
    if stands(new, place):
        return bool(resolve(new, place) == resolve(old, place))
    return False


def _check_fields(record: Record, body: Json) -> None:
    kind = KINDS[record.kind]
    if not isinstance(body, dict):
        raise UsageError(f"the overlay makes {record.key} something that is no object", hint="check its patch")
    unknown = sorted(body.keys() - record.body.keys() - kind.travelling)
    if unknown:
        raise UsageError(
            f"the overlay gives {record.key} the field {unknown[0]!r}, which a {kind.name} does not have",
            hint=f"its fields are {', '.join(sorted(kind.travelling))}",
        )
    lost = sorted(name for name in kind.required if name in record.body and name not in body)
    if lost:
        raise UsageError(f"the overlay takes {lost[0]!r} from {record.key}, which needs it", hint="check its patch")
    misfit = kind.misfit_of_body(body)
    if misfit is not None:
        raise UsageError(f"the overlay makes {record.key} no {kind.name}: {misfit}", hint="check its patch")
    if kind.name_field and body.get(kind.name_field) != record.body.get(kind.name_field):
        raise UsageError(f"the overlay renames {record.key}", hint="use [map] or --map, so that references follow")
