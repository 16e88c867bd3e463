"""New names in an overlay: which keys change, and records with all of them changed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from bundle.environment.keys import identity
from bundle.environment.selection import kind_of
from bundle.errors import UsageError
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.naming import renamed
from bundle.model import Body, Key, Placed, Pointer, Record, Reference
from bundle.record.canonical import make_record
from bundle.record.pointers import join, replace_all, resolve, split
from bundle.record.references import put_back

LISTED = "`xfer inspect -v` lists the keys of a bundle"


def new_keys(records: Sequence[Placed], external: Iterable[Key], names: Mapping[Key, str]) -> dict[Key, Key]:
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
    if not any(key in {each, identity(each)} for each in known):
        raise UsageError(f"nothing in the bundle is or names {key!r}, which is to be mapped", hint=LISTED)
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


def _parts(key: Key) -> tuple[str, str, str]:
    """The parent's name (empty where the kind has none), the own name, and the suffix that tells twins apart."""
    kind, _, name = identity(key).partition(":")
    suffix = key[len(identity(key)) :]
    if KINDS[kind].parent_kind is None:
        return "", name, suffix
    parent, _, own = name.partition("/")
    return parent, own, suffix


def _new_key(key: Key, names: Mapping[Key, str]) -> Key:
    kind = KINDS.get(key.partition(":")[0])
    if kind is None:
        return key
    parent, own, suffix = _parts(key)
    wanted = names.get(key, names.get(identity(key)))
    if wanted is not None:
        own = _own_name(kind, wanted)
    parent = names.get(f"{kind.parent_kind}:{parent}", parent)
    return f"{kind.name}:{parent}/{own}{suffix}" if kind.parent_kind else f"{kind.name}:{own}{suffix}"


def _own_name(kind: Kind, name: str) -> str:
    """The last part of what a name is mapped to, which may have that of the parent before it."""
    return name.partition("/")[2] if "/" in name and kind.parent_kind else name


def with_names(record: Record, keys: Mapping[Key, Key]) -> Record:
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
