"""What reports and receipts say of the signatures of a bundle."""

from __future__ import annotations

from typing import Literal

import msgspec

from bundle.trust import dates
from bundle.trust.policy import Policy, Verification
from bundle.trust.reasons import Reason


class Signed(msgspec.Struct, frozen=True):
    """One signature: its file, the key, and the ``principals`` that it counts for; none if there is a ``reason``."""

    file: str
    key_type: str
    fingerprint: str
    principals: tuple[str, ...]
    reason: Reason | None
    details: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Who vouches for a bundle.

    ``verified``: as many ``people`` as were ``needed`` signed ``sha256``, the SHA-256 of the file in hex, judged at the
    time ``at`` (ISO 8601) by the file ``allowed_signers``, whose SHA-256 is ``allowed_signers_sha256``.
    ``unverified``: nobody was asked, as the user wished; the rest is empty or null.
    """

    state: Literal["verified", "unverified"]
    sha256: str
    signatures: tuple[Signed, ...] = ()
    people: int = 0
    needed: int = 0
    allowed_signers: str | None = None
    allowed_signers_sha256: str | None = None
    at: str | None = None


class TrustFile(msgspec.Struct, frozen=True):
    """The file of allowed signers that a policy was made from: its name, and its SHA-256 in hex."""

    name: str
    sha256: str


def verified(sha256: str, found: Verification, policy: Policy, file: TrustFile) -> Verdict:
    """The verdict on a file whose signatures are enough."""
    return Verdict(
        state="verified",
        sha256=sha256,
        signatures=tuple(
            Signed(each.file, each.key_type, each.fingerprint, each.principals, each.reason, each.details)
            for each in found.signers
        ),
        people=found.people,
        needed=max(1, found.needed),
        allowed_signers=file.name,
        allowed_signers_sha256=file.sha256,
        at=dates.written(policy.at),
    )
