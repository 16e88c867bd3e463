"""Changes a bundle on its way: names mapped, values set, fields patched, owners named (``--map`` … ``--overlay``).

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

from collections import Counter
from collections.abc import Iterable

import msgspec

from bundle.environment.selection import EVERYTHING, Selection, select
from bundle.environment.validation import checked
from bundle.errors import UsageError
from bundle.model import Bundle, Json, Key, Placed
from bundle.plan.owners import after_their_owners, owned
from bundle.plan.patches import Patch, patched, set_values
from bundle.plan.renaming import new_keys, with_names


class Overlay(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be different: new names by key, values of variables by key, patches in order, owners by pattern."""

    map: dict[Key, str] = {}
    set: dict[Key, Json] = {}
    patch: tuple[Patch, ...] = ()
    owners: dict[str, Key] = {}


NO_OVERLAY = Overlay()


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
    external = set(bundle.manifest.external or ())
    keys = new_keys(bundle.records, {*external, *overlay.owners.values()}, overlay.map)
    patches = (*set_values(overlay.set), *overlay.patch)
    changed = owned(patched(list(stored.values()), patches), overlay.owners)
    records = tuple(
        Placed(placed.wave, with_names(record, keys)) for placed, record in zip(bundle.records, changed, strict=True)
    )
    _refuse_equal(records)
    if overlay.owners:
        records = after_their_owners(records)
        external = {*external, *overlay.owners.values()} - stored.keys()
    return Wanted(
        msgspec.structs.replace(bundle, records=records),
        frozenset(keys.get(key, key) for key in chosen),
        tuple(sorted({keys.get(key, key) for key in external})),
        keys,
    )


def _refuse_equal(records: Iterable[Placed]) -> None:
    twice = [key for key, times in Counter(placed.record.key for placed in records).items() if times > 1]
    if twice:
        raise UsageError(f"two resources of the bundle would both be {twice[0]}", hint="map one of them elsewhere")
