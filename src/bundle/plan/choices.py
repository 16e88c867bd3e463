"""How a bundle is to arrive at a destination, as its user wants it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from bundle.environment.selection import EVERYTHING, Selection
from bundle.plan.overlay import NO_OVERLAY, Overlay
from bundle.server.tiers import ANY_TIER, Tier

OnConflict = Literal["skip", "update", "fail"]
MissingSecrets = Literal["placeholder", "skip", "fail"]


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


class Choices(msgspec.Struct, frozen=True):
    """What an import does, and how far.

    ``selection`` says which records of the bundle to act on, ``overlay`` what is to be different from the bundle.
    ``conflicts``: what to do where the destination has a resource with other content. ``missing_secrets``: what to do
    without a secret that was not supplied. ``inert``: create everything paused, and leave on or off what the
    destination has. ``tier``: that of the destination, a Cloud workspace.
    """

    conflicts: Conflicts = SKIP
    missing_secrets: MissingSecrets = "placeholder"
    inert: bool = False
    tier: Tier = ANY_TIER
    selection: Selection = EVERYTHING
    overlay: Overlay = NO_OVERLAY

    def without_refusals(self) -> Choices:
        """The same, but nothing that would end the import before it begins does."""
        missing = "placeholder" if self.missing_secrets == "fail" else self.missing_secrets
        return msgspec.structs.replace(self, conflicts=self.conflicts.without_refusals(), missing_secrets=missing)


DEFAULT = Choices()
