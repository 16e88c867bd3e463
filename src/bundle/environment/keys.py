"""A key for each resource; equal names are told apart by a hash of the content. Pure."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping

import msgspec

from bundle.environment.lookup import Lookup
from bundle.kinds import KINDS
from bundle.kinds.base import Kind
from bundle.kinds.protocols import Raw
from bundle.model import JsonType, Key, Pointer, kind_of
from bundle.record.canonical import encode, sha256_hex
from bundle.record.references import Cut

_HASH_DIGITS = 8
_SUFFIX = re.compile(r"^((?:[^~]|~~)*)~[0-9a-f]{8}(?:\.\d+)?$")


class Draft(msgspec.Struct, frozen=True):
    """A resource on its way to a record: ids and secrets are out, the key is not final."""

    id: str
    kind: Kind
    raw: Raw
    cut: Cut
    secrets: dict[Pointer, JsonType]
    names: tuple[tuple[str, Key], ...]


def final_keys(drafts: list[Draft], look: Lookup) -> dict[str, Key]:
    """A key for each id; equal natural keys are told apart by a hash of the content."""
    groups: dict[Key, list[Draft]] = defaultdict(list)
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


def _told_apart(natural: Key, group: list[Draft], referrers: Mapping[str, list[Key]], look: Lookup) -> dict[str, Key]:
    """Twins of equal content are told apart by who refers to them, at last by their age."""

    def order(draft: Draft) -> tuple[str, list[Key], str]:
        return _content_hash(draft, look), sorted(referrers.get(draft.id, ())), str(draft.raw.get("created"))

    keys: dict[str, Key] = {}
    used: dict[str, int] = defaultdict(int)
    for draft in sorted(group, key=order):
        suffix = _content_hash(draft, look)
        used[suffix] += 1
        twin = f".{used[suffix]}" if used[suffix] > 1 else ""
        keys[draft.id] = f"{natural}~{suffix}{twin}"
    return keys


def _content_hash(draft: Draft, look: Lookup) -> str:
    deep = draft.kind.deep_fields
    references = [
        [hit.pointer, look.key(hit.id), hit.form, hit.offset]
        for hit in sorted(draft.cut.found, key=lambda each: (each.pointer, each.offset))
        if hit.pointer.split("/")[1] not in deep
    ]
    body = {name: value for name, value in draft.cut.body.items() if name not in deep}
    return sha256_hex(encode([body, references, sorted(draft.secrets)]))[:_HASH_DIGITS]


def natural_key(key: Key) -> Key:
    """The key without the suffix that tells equal names apart; one of an unknown kind as it is."""
    kind = KINDS.get(kind_of(key))
    match = None if kind is None or kind.unique_names else _SUFFIX.match(key)
    return match[1] if match else key


def identity(key: Key) -> Key:
    """What is the same at every server: the natural key, and where there is no name, the suffix too."""
    natural = natural_key(key)
    return key if natural.endswith("/(anonymous)") else natural
