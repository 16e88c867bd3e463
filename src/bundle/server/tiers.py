"""What Prefect Cloud allows, as far as it is documented: in each tier, and in every workspace. Pure.

No documented request shows the tier of a workspace, so the user names it (docs/cloud.md). The sources are
Prefect's documentation at https://docs.prefect.io/v3: "Limits by plan" and "Request size limits" in
concepts/rate-limits, "Work pools" and "Check tier limitations" in how-to-guides/migrate/transfer-resources.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

LARGEST_REQUEST_BYTES = 5 * 1024 * 1024


class Tier(msgspec.Struct, frozen=True):
    """One tier; of what is not documented it allows everything.

    ``deployments``: how many a workspace may hold. ``requests_a_minute``: of a whole account. None where not known.
    """

    name: str = ""
    managed_pools_only: bool = False
    deployments: int | None = None
    requests_a_minute: int | None = None

    def seconds_for(self, requests: int) -> float:
        """How long so many requests take at least."""
        return 60 * requests / self.requests_a_minute if self.requests_a_minute else 0.0


ANY_TIER = Tier()
TIERS: Mapping[str, Tier] = {
    "hobby": Tier("Hobby", managed_pools_only=True, deployments=5, requests_a_minute=625),
    "starter": Tier("Starter", requests_a_minute=1250),
    "team": Tier("Team", requests_a_minute=2500),
    "pro": Tier("Pro", requests_a_minute=5000),
    "enterprise": Tier("Enterprise"),
}
