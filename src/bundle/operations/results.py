"""What became of a bundle, as the far side says it in a result, and as the near side reads it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from bundle.apply.outcomes import Outcome
from bundle.environment.snapshot import read_destination
from bundle.environment.succession import predecessors
from bundle.errors import BundleError
from bundle.model import Api, Key
from bundle.operations.import_ import Prepared
from bundle.record.graph import place
from bundle.trust.statements import Ending, VerifiedSigner
from bundle.trust.verdict import Verdict

Fate = Literal["there", "kept", "missing"]
_HELD = frozenset({"succeeded", "skipped"})
_KEPT = frozenset({"exists-differs", "unchangeable", "updated-partly", "exists-now"})


def account(prepared: Prepared, outcomes: Iterable[Outcome]) -> tuple[Ending, ...]:
    """How each record of a bundle ended, by the key that the bundle has for it."""
    old = {new: key for key, new in prepared.keys.items()}
    return tuple(Ending(old.get(each.key, each.key), each.state, each.reason) for each in outcomes)


async def digest_there(prepared: Prepared, api: Api) -> str | None:
    """The content digest of what a destination has of a bundle: that of the bundle, if it has all of it.

    None where it cannot be read back: what was done there is known all the same.
    """
    try:
        there = await read_destination(api, is_deep=True)
    except BundleError:
        return None
    wanted = {record.key for record in prepared.records}
    kept = {key: record for key, record in there.records.items() if key in wanted}
    found = hashlib.sha256()
    for placed in place(kept.values(), predecessors(msgspec.structs.replace(there, records=kept))):
        found.update(f"{placed.record.digest}\n".encode())
    return found.hexdigest()


def signers_of(verdict: Verdict | None) -> tuple[VerifiedSigner, ...]:
    """Who was verified to have signed a bundle."""
    signed = () if verdict is None else verdict.signatures
    return tuple(
        VerifiedSigner(each.principals, each.key_type, each.fingerprint) for each in signed if each.reason is None
    )


class Joined(msgspec.Struct, frozen=True):
    """What left and what arrived: the fate of each resource of the bundle, and keys that are told of wrongly.

    ``unaccounted`` are keys of the bundle that the result has not, or more than once; ``unknown`` are others.
    """

    fates: Mapping[Key, Fate]
    unaccounted: tuple[Key, ...] = ()
    unknown: tuple[Key, ...] = ()


def join(keys: Sequence[Key], endings: Sequence[Ending]) -> Joined:
    """What became of each key of a bundle, by the account of a result."""
    told = Counter(each.key for each in endings)
    fates, known = {each.key: _fate(each) for each in endings}, set(keys)
    odd = {key for key in known if told[key] != 1}
    kept = {key: fates[key] for key in sorted(known - odd)}
    return Joined(kept, tuple(sorted(odd)), tuple(sorted(told.keys() - known)))


def _fate(ending: Ending) -> Fate:
    if ending.state not in _HELD:
        return "missing"
    if ending.reason in _KEPT:
        return "kept"
    is_there = ending.state == "succeeded" or ending.reason == "exists-same"
    return "there" if is_there else "missing"
