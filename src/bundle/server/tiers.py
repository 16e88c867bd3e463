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
    """One tier; of what is not documented it allows everything.

    ``most``: how many of a kind a workspace may hold. ``requests_a_minute``: of a whole account, None where not known.
    """

    name: str = ""
    managed_pools_only: bool = False
    most: Mapping[str, int] = {}
    requests_a_minute: int | None = None

    def refusal(self, kind: str, body: Body) -> str | None:
        """Why a resource cannot be made in this tier at all."""
        if kind == _POOL and self.managed_pools_only and not str(body.get("type")).endswith(":managed"):
            return f"the {self.name} tier has managed work pools only"
        return None

    def room(self, held: Iterable[str]) -> dict[str, int]:
        """How many more of each limited kind fit, beside resources of the kinds in ``held``."""
        kinds = list(held)
        return {kind: most - kinds.count(kind) for kind, most in self.most.items()}

    def seconds_for(self, requests: int) -> float:
        """How long so many requests take at least."""
        return 60 * requests / self.requests_a_minute if self.requests_a_minute else 0.0

    def fullness(self, kind: str) -> str:
        """Why there is no more room for a kind."""
        return f"the {self.name} tier allows {self.most[kind]} {kind}s"


ANY_TIER = Tier()
TIERS: Mapping[str, Tier] = {
    "hobby": Tier("Hobby", managed_pools_only=True, most={_DEPLOYMENT: 5}, requests_a_minute=625),
    "starter": Tier("Starter", requests_a_minute=1250),
    "team": Tier("Team", requests_a_minute=2500),
    "pro": Tier("Pro", requests_a_minute=5000),
    "enterprise": Tier("Enterprise"),
}
