"""Patches of an overlay: which parts of a body are meant, and what becomes of them. Pure.

Parts are named by the few words of docs/overlay.md (docs/decisions/0014), changes by a JSON merge
patch (RFC 7396).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from bundle.environment.selection import matches
from bundle.errors import UsageError
from bundle.kinds import KINDS
from bundle.model import Body, Json, Key, Pointer, Record, Reference
from bundle.plan.renaming import LISTED
from bundle.record.canonical import make_record
from bundle.record.pointers import exists, join, replace_all, resolve, split


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


def set_values(values: Mapping[Key, Json]) -> Iterator[Patch]:
    for key, value in values.items():
        if not key.startswith("variable:"):
            raise UsageError(f"{key!r} has no value to set: only variables have", hint="use a patch in an overlay file")
        yield Patch(match=key, at="/value", put=value)


def patched(records: list[Record], patches: Iterable[Patch]) -> list[Record]:
    for patch in patches:
        for pointer in (patch.at, *patch.remove):
            _check_pointer(pointer)
        hits = [position for position, record in enumerate(records) if matches(patch.match, record.key)]
        changed = [(position, _with_patch(records[position], patch)) for position in hits]
        if not any(found for _, found in changed):
            where = f" at {patch.at!r}" if hits else ""
            raise UsageError(
                f"nothing in the bundle matches {patch.match!r}{where}, which is to be changed",
                hint="check the pointer: * and name=value mean items of a list" if hits else LISTED,
            )
        records = list(records)
        for position, found in changed:
            records[position] = found or records[position]
    return records


def _check_pointer(pointer: Pointer) -> None:
    try:
        split(pointer)
    except LookupError:
        raise UsageError(
            f"the overlay has {pointer!r} where a JSON Pointer must be",
            hint=f"begin it with a slash, like {join(pointer)!r}; ~ is written ~0, and / inside a name ~1",
        ) from None


def _with_patch(record: Record, patch: Patch) -> Record | None:
    """The record with one patch; None where it has no part that is meant."""
    parts = list(_parts_at(record.body, split(patch.at), ()))
    if not parts:
        return None
    body = record.body
    for part in parts:
        body = _replaced(body, part, _changed(resolve(body, part) if exists(body, part) else None, patch))
    _check_fields(record, body)
    kept = [
        each for each in record.references if each.form != "name" and _is_untouched(record.body, body, each.pointer)
    ]
    names = [Reference(place, target, "name") for place, target in dict.fromkeys(KINDS[record.kind].names(body))]
    secrets = [each for each in record.secrets if exists(body, each.pointer) and resolve(body, each.pointer) is None]
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
    elif isinstance(value, dict) and (token in value or (not rest and _may_be_new(token))):
        yield from _parts_at(value.get(token), rest, (*path, token))


def _may_be_new(name: str) -> bool:
    """Whether a member of this name may be added: it is none of the words for items of a list."""
    return name != "*" and "=" not in name


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
    if exists(new, place):
        return bool(resolve(new, place) == resolve(old, place))
    return False


def _check_fields(record: Record, body: Json) -> None:
    kind = KINDS[record.kind]
    if not isinstance(body, dict):
        raise UsageError(f"the overlay makes {record.key} something that is not an object", hint="check its patch")
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
