"""Owners of automations, named by an overlay where no API tells them (``[owners]``, ``--owner``). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from bundle.environment.selection import matches
from bundle.errors import UsageError
from bundle.kinds.automation_owners import OWNER, OWNER_PREFIX
from bundle.model import Key, Placed, Record, Reference, kind_of
from bundle.plan.renaming import LISTED
from bundle.record.canonical import make_record


def owned(records: Sequence[Record], owners: Mapping[str, Key]) -> list[Record]:
    """The records, in which automations belong to what the last pattern that matches them names.

    Raises:
        UsageError: a pattern matches no automation, or an owner is no deployment.
    """
    found = list(records)
    for pattern, owner in owners.items():
        hits = [place for place, each in enumerate(found) if each.kind == "automation" and matches(pattern, each.key)]
        if not hits:
            raise UsageError(f"no automation in the bundle matches {pattern!r}, which is to have an owner", hint=LISTED)
        if kind_of(owner) != "deployment":
            raise UsageError(
                f"{owner!r} cannot own an automation: only a deployment can",
                hint="write --owner 'automation:NAME=deployment:FLOW/NAME'",
            )
        for place in hits:
            found[place] = _owned(found[place], owner)
    return found


def _owned(record: Record, owner: Key) -> Record:
    rest = [each for each in record.references if each.pointer != f"/{OWNER}"]
    reference = Reference(f"/{OWNER}", owner, offset=len(OWNER_PREFIX))
    return make_record(record.key, record.body | {OWNER: OWNER_PREFIX}, [*rest, reference], record.secrets)


def after_their_owners(records: Sequence[Placed]) -> tuple[Placed, ...]:
    """The records, of which automations come in a later wave than their owner: only the creating request sets it."""
    waves = {placed.record.key: placed.wave for placed in records}
    moved = [
        msgspec.structs.replace(each, wave=max(each.wave, _owner_wave(each.record, waves) + 1)) for each in records
    ]
    return tuple(sorted(moved, key=lambda each: (each.wave, each.record.kind, each.record.key)))


def _owner_wave(record: Record, waves: Mapping[Key, int]) -> int:
    return max((waves.get(each.target, -1) for each in record.references if each.pointer == f"/{OWNER}"), default=-1)
