"""What can be done with a record of a bundle at a destination, and why. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec

from bundle.model import Json, Key, Pointer
from bundle.record.pointers import join, split
from bundle.record.secret_names import Told

REASONS: Mapping[str, str] = {
    "created": "created because it was missing",
    "created-without-secret": "created with a placeholder for a missing secret: runs that use it will fail",
    "created-unfit": "created as it was, but the destination will refuse to run it until it is changed",
    "created-partly": "created and left switched off, because the destination refuses a part of it",
    "completed": "an earlier run left it unfinished; now complete",
    "secret-filled": "the supplied secret has replaced the placeholder of an earlier run",
    "secret-not-kept": "the destination took the supplied secret, and does not hold it",
    "exists-same": "already there with the same content",
    "exists-differs": "already there with other content; left unchanged",
    "updated": "had other content; now has that of the bundle",
    "updated-partly": "updated, except for places that cannot be changed",
    "unchangeable": "differs only in places that cannot be changed; left unchanged",
    "exists-now": "somebody else created it during the import; left unchanged",
    "not-selected": "the selection leaves it out",
    "push-pool": "push work pools exist only on Prefect Cloud",
    "managed-pool": "managed work pools are never transferred",
    "cloud-only": "uses an action or trigger that only Prefect Cloud offers",
    "not-offered": "the destination does not offer this kind of resource",
    "not-held": "not supported by the destination's Prefect version",
    "tier-limit": "not allowed by the destination's Prefect Cloud plan: choose a higher plan, or make room",
    "too-large": "larger than a request to Prefect Cloud may be",
    "secret-missing": "a secret of it was not supplied, and --missing-secrets is skip",
    "waits-for": "needs something that is not at the destination",
    "unreadable": "the destination may have it, and did not let it be read; not created a second time",
    "rejected": "refused by the destination",
    "denied": "not permitted with these credentials",
    "unreachable": "no response from the destination",
    "begun": "made or changed in part: the same command finishes it",
    "not-tried": "not attempted: the run stopped first",
}
Verb = Literal["create", "complete", "fill", "update", "skip", "unsupported", "blocked"]


class MemberKey(msgspec.Struct, frozen=True):
    """A key that is part of a member name in a pointer, in place of the id at the destination.

    ``depth`` is the number of the token, ``offset`` where in the token the key begins.
    """

    depth: int
    offset: int
    key: Key


class Difference(msgspec.Struct, frozen=True):
    """One place where bundle and destination differ; None where one side has nothing.

    Keys are in place of ids, in the values as in the pointer, where ``members`` has them. ``is_secret``: a supplied
    secret is not the live one; neither is in here. ``told`` is what the names around the place say of its value.
    """

    pointer: Pointer
    bundle: Json
    destination: Json
    is_secret: bool = False
    members: tuple[MemberKey, ...] = ()
    told: Told = Told.NOTHING

    def at(self, id_of: Callable[[Key], str]) -> Pointer:
        """The same place at the destination, whose member names have ids."""
        if not self.members:
            return self.pointer
        tokens = split(self.pointer)
        for each in reversed(self.members):
            name = tokens[each.depth]
            tokens[each.depth] = name[: each.offset] + id_of(each.key) + name[each.offset + len(each.key) :]
        return join(*tokens)


class Action(msgspec.Struct, frozen=True):
    """What is to be done with one record.

    ``id`` is the destination's, where it has the resource; ``waits_for`` names
    what a blocked record needs; ``unchangeable`` are those of the differences
    that an update leaves; ``detail`` says more than the reason; ``dropped``
    names places that the destination's version cannot hold, and that are
    neither sent nor compared.
    """

    key: Key
    kind: str
    verb: Verb
    reason: str
    id: str | None = None
    differences: tuple[Difference, ...] = ()
    waits_for: tuple[Key, ...] = ()
    missing_secrets: tuple[str, ...] = ()
    unchangeable: tuple[Pointer, ...] = ()
    detail: str = ""
    dropped: tuple[Pointer, ...] = ()

    @property
    def to_write(self) -> tuple[Difference, ...]:
        """The differences that an update writes."""
        return tuple(each for each in self.differences if each.pointer not in self.unchangeable)


class Plan(msgspec.Struct, frozen=True):
    """One action a record, in the order of the bundle.

    ``external`` has the destination's ids of what the bundle refers to and does not hold.
    """

    actions: tuple[Action, ...]
    external: dict[Key, str] = {}
