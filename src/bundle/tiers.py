"""What Prefect Cloud allows, as far as it is documented: in each tier, and in every workspace. Pure.

Nothing documented tells the tier of a workspace, so the user does (docs/cloud.md). The sources are
Prefect's documentation at https://docs.prefect.io/v3: "Limits by plan" and "Request size limits" in
concepts/rate-limits, "Work pools" and "Check tier limitations" in how-to-guides/migrate/transfer-resources.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from bundle.model import Body

LARGEST_REQUEST_BYTES = 5 * 1024 * 1024
_POOL = "work-pool"
_DEPLOYMENT = "deployment"


class Tier(msgspec.Struct, frozen=True):
    """One tier; of what is not documented it allows everything. ``most``: how many of a kind a workspace may hold."""

    name: str = ""
    managed_pools_only: bool = False
    most: Mapping[str, int] = {}

    def refusal(self, kind: str, body: Body) -> str | None:
        """Why a resource cannot be made in this tier at all."""
        if kind == _POOL and self.managed_pools_only and not str(body.get("type")).endswith(":managed"):
            return f"the {self.name} tier has managed work pools only"
        return None

    def room(self, held: Iterable[str]) -> dict[str, int]:
        """How many more of each limited kind fit, beside resources of the kinds in ``held``."""
        kinds = list(held)
        return {kind: most - kinds.count(kind) for kind, most in self.most.items()}

    def fullness(self, kind: str) -> str:
        """Why there is no more room for a kind."""
        return f"the {self.name} tier allows {self.most[kind]} {kind}s"


ANY_TIER = Tier()
TIERS: Mapping[str, Tier] = {
    "hobby": Tier("Hobby", managed_pools_only=True, most={_DEPLOYMENT: 5}),
    "starter": Tier("Starter"),
    "team": Tier("Team"),
    "pro": Tier("Pro"),
    "enterprise": Tier("Enterprise"),
}
