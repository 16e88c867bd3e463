"""What can be done with a record of a bundle at a destination, why, and how the user wants it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from bundle.model import Body, Json, Key, Pointer, Record
from bundle.record.secrets import still_marked

REASONS: Mapping[str, str] = {
    "created": "it was missing and has been made",
    "created-without-secret": "it has been made; a marker stands where a secret was not supplied",
    "completed": "another run had begun it; it is now whole",
    "secret-filled": "a supplied secret took the place of the marker that an earlier run had left",
    "exists-same": "the destination has it, with the same content",
    "exists-differs": "the destination has it, with other content, which was left alone",
    "updated": "it had other content, and has been given that of the bundle",
    "updated-partly": "it has been given the content of the bundle, but for places that cannot be changed",
    "unchangeable": "it differs only in places that cannot be changed, and was left alone",
    "exists-now": "somebody else made it while the import ran; it was left alone",
    "not-selected": "the selection leaves it out",
    "push-pool": "push work pools exist only on Prefect Cloud",
    "managed-pool": "managed work pools are never transferred",
    "cloud-only": "it uses an action or trigger that only Prefect Cloud offers",
    "not-offered": "the destination does not offer this kind of resource",
    "not-held": "the destination's version cannot hold it",
    "tier-limit": "the Prefect Cloud plan of the destination does not allow it: choose a higher one, or make room",
    "too-large": "it is larger than a request to Prefect Cloud may be",
    "secret-missing": "a secret of it was not supplied, and such resources are to be skipped",
    "waits-for": "something that it needs is not at the destination",
    "rejected": "the destination refused it",
    "denied": "the destination does not permit it with these credentials",
    "unreachable": "the destination did not answer",
    "not-tried": "the run ended before its turn",
}
Verb = Literal["create", "complete", "fill", "update", "skip", "unsupported", "blocked"]
OnConflict = Literal["skip", "update", "fail"]


class Conflicts(msgspec.Struct, frozen=True):
    """What to do where the destination has a resource with other content, and for which kinds something else."""

    usual: OnConflict = "skip"
    by_kind: Mapping[str, OnConflict] = {}

    def policy(self, kind: str) -> OnConflict:
        """What holds for a kind."""
        return self.by_kind.get(kind, self.usual)

    @property
    def may_update(self) -> bool:
        """Whether any kind is to be updated."""
        return "update" in {self.usual, *self.by_kind.values()}

    def without_refusals(self) -> Conflicts:
        """The same, but for what differs being left alone where it would end the import."""
        eased = {kind: "skip" if policy == "fail" else policy for kind, policy in self.by_kind.items()}
        return Conflicts("skip" if self.usual == "fail" else self.usual, eased)


SKIP = Conflicts()


class Difference(msgspec.Struct, frozen=True):
    """One place where bundle and destination differ; None where one side has nothing.

    ``is_secret``: a supplied secret is not the live one; neither is held here.
    """

    pointer: Pointer
    bundle: Json
    destination: Json
    is_secret: bool = False


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
    def places(self) -> tuple[Pointer, ...]:
        """The places that an update writes."""
        return tuple(each.pointer for each in self.differences if each.pointer not in self.unchangeable)


class Plan(msgspec.Struct, frozen=True):
    """One action a record, in the order of the bundle.

    ``external`` has the destination's ids of what the bundle refers to and does not hold.
    """

    actions: tuple[Action, ...]
    external: dict[Key, str] = {}


class Secrets(msgspec.Struct, frozen=True):
    """Supplied secret values by slot, what to do without, and what existing blocks really hold."""

    supplied: Mapping[str, Json] = {}
    missing: Literal["placeholder", "skip", "fail"] = "placeholder"
    revealed: Mapping[str, Body] = {}
    """Real bodies by id of existing resources that the bundle has slots for, as far as the destination shows them."""

    def marked(self, record: Record, identifier: str) -> tuple[str, ...]:
        """The slots in which an existing resource still holds our marker, as far as that was revealed."""
        body = self.revealed.get(identifier)
        return () if body is None else tuple(each.slot for each in record.secrets if still_marked(body, each))

    def lacking(self, record: Record) -> tuple[str, ...]:
        """The slots of a record that nobody supplied."""
        return tuple(each.slot for each in record.secrets if each.slot not in self.supplied)
