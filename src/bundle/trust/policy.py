"""Whether signatures are enough: each is judged by itself, then people are counted.

Pure: the time is an argument, and the mathematics are done before. What is decided is a value with every signature
and the reason against it, so that a report, a receipt and a dry run say the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bundle.trust import dates, patterns
from bundle.trust.allowed_signers import Entry
from bundle.trust.keys import Certificate, PublicKey
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.revoked import is_revoked


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to trust, and how many: ``at`` is the time of judging in seconds since 1970.

    ``signer`` narrows the allowed signers to those that this list of patterns matches. ``min_signers`` are people:
    two signatures are of two people only if they share neither key nor principal.
    """

    entries: tuple[Entry, ...]
    at: int
    revoked: frozenset[bytes] = frozenset()
    signer: str | None = None
    min_signers: int = 1


class Signer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One signature and what became of it: ``principals`` are those that it counts for, none if there is a ``reason``.

    ``file`` is the signature's file, ``key_type`` and ``fingerprint`` those of the key.
    """

    file: str
    key_type: str
    fingerprint: str
    principals: tuple[str, ...] = ()
    reason: Reason | None = None
    details: str = ""


class Verification(msgspec.Struct, frozen=True):
    """All signatures of a file, how many people they are of, and how many are needed."""

    signers: tuple[Signer, ...]
    people: int
    needed: int

    @property
    def is_enough(self) -> bool:
        """Whether as many people signed as are needed; nobody is never enough."""
        return self.people >= max(1, self.needed)


class Denied(Exception):
    """One entry does not let a key sign: ``reason`` and ``details``."""

    def __init__(self, reason: Reason, details: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


def principals_of(key: PublicKey, namespace: str, policy: Policy) -> tuple[str, ...]:
    """Who may sign as this kind of file with a key, by all entries that allow it.

    Raises:
        Denied: nobody; of several reasons the one of the entry that came nearest.
    """
    if is_revoked(key, policy.revoked):
        raise Denied(Reason.SIGNER_REVOKED)
    found: list[str] = []
    denials = [Denied(Reason.SIGNER_UNKNOWN)]
    for entry in policy.entries:
        try:
            found += _allowed(entry, key, namespace, policy)
        except Denied as denied:
            denials.append(denied)
    if not found:
        raise max(denials, key=lambda denied: _NEARNESS.index(denied.reason))
    return tuple(dict.fromkeys(found))


_NEARNESS = (
    Reason.SIGNER_UNKNOWN,
    Reason.CERTIFICATE_REFUSED,
    Reason.NAMESPACE_NOT_ALLOWED,
    Reason.SIGNER_NOT_ASKED_FOR,
    Reason.SIGNER_NOT_YET_VALID,
    Reason.SIGNER_EXPIRED,
)


def _allowed(entry: Entry, key: PublicKey, namespace: str, policy: Policy) -> tuple[str, ...]:
    names = _names(entry, key, policy)
    if entry.namespaces is not None and not patterns.matches(namespace, entry.namespaces):
        raise Denied(Reason.NAMESPACE_NOT_ALLOWED, f"line {entry.line} is for {entry.namespaces}")
    chosen = tuple(name for name in names if policy.signer is None or _is_asked_for(name, policy.signer))
    if not chosen:
        raise Denied(Reason.SIGNER_NOT_ASKED_FOR, ", ".join(names) or entry.principals)
    _check_time(entry.valid_after, entry.valid_before, policy.at)
    return chosen


def _names(entry: Entry, key: PublicKey, policy: Policy) -> tuple[str, ...]:
    """The principals for whom a key signs by an entry, if the entry is for this key."""
    if key.certificate is None:
        if entry.is_authority or entry.key.blob != key.blob:
            raise Denied(Reason.SIGNER_UNKNOWN)
        return _plain_names(entry, policy.signer)
    if not entry.is_authority or entry.key.blob != key.certificate.authority.blob:
        raise Denied(Reason.SIGNER_UNKNOWN)
    return _certified_names(entry, key.certificate, policy.at)


def _plain_names(entry: Entry, asked_for: str | None) -> tuple[str, ...]:
    """The names in the list; and the one asked for, if only a pattern of the list matches it.

    A pattern is a principal only for people to read: it is never matched by another pattern.
    """
    names = patterns.literals(entry.principals)
    if asked_for is not None and patterns.is_literal(asked_for) and patterns.matches(asked_for, entry.principals):
        return tuple(dict.fromkeys((*names, asked_for)))
    return names or ((entry.principals,) if asked_for is None else ())


def _certified_names(entry: Entry, certificate: Certificate, at: int) -> tuple[str, ...]:
    limits = set(certificate.critical_options) - {"verify-required"}
    if not certificate.is_for_user or not certificate.principals or limits:
        raise Denied(Reason.CERTIFICATE_REFUSED, ", ".join(sorted(limits)))
    # Unlike valid-before of a line, the end of a certificate does not belong to its time.
    _check_time(certificate.valid_after, certificate.valid_before - 1, at)
    names = tuple(name for name in certificate.principals if patterns.matches(name, entry.principals))
    if not names:
        raise Denied(Reason.CERTIFICATE_REFUSED, f"line {entry.line} is for {entry.principals}")
    return names


def _is_asked_for(name: str, asked_for: str) -> bool:
    return patterns.matches(name, asked_for)


def _check_time(after: int | None, before: int | None, at: int) -> None:
    if after is not None and at < after:
        raise Denied(Reason.SIGNER_NOT_YET_VALID, f"valid from {dates.written(after)}")
    if before is not None and at > before:
        raise Denied(Reason.SIGNER_EXPIRED, f"valid until {dates.written(before)}")


def count_people(signers: Sequence[tuple[str, tuple[str, ...]]]) -> int:
    """How many people are behind some keys, each with its principals: who shares a key or a principal is one."""
    people: list[set[str]] = []
    for key, principals in signers:
        own = {f"key {key}", *(f"principal {name}" for name in principals)}
        same = [each for each in people if each & own]
        people = [each for each in people if not each & own] + [own.union(*same)]
    return len(people)


def decide(signers: Sequence[Signer], policy: Policy) -> Verification:
    """Whether signatures that were judged are enough together."""
    trusted = [(signer.fingerprint, signer.principals) for signer in signers if signer.reason is None]
    return Verification(tuple(signers), count_people(trusted), policy.min_signers)


def require(what: str, verification: Verification) -> Verification:
    """The verification itself.

    Raises:
        Distrusted: a signature is wrong whoever made it, or they are not enough; the only one has its own reason.
    """
    for signer in verification.signers:
        if signer.reason in _FATAL:
            raise Distrusted(signer.file, signer.reason, signer.details)
    if verification.is_enough:
        return verification
    if not verification.signers:
        raise Distrusted(what, Reason.SIGNATURE_MISSING)
    if verification.people == 0 and len(verification.signers) == 1:
        (only,) = verification.signers
        assert only.reason is not None  # noqa: S101 - or it would count
        raise Distrusted(only.file, only.reason, _described(only))
    raise Distrusted(what, Reason.TOO_FEW_SIGNERS, "; ".join(_each(verification)))


_FATAL = {Reason.SIGNATURE_MALFORMED, Reason.SIGNATURE_WRONG, Reason.NAMESPACE_WRONG}
"""What is no signature at all is never passed over, however many good ones are beside it."""


def _described(signer: Signer) -> str:
    return f"{signer.key_type} {signer.fingerprint}" + (f", {signer.details}" if signer.details else "")


def _each(verification: Verification) -> Iterator[str]:
    yield f"{verification.people} of {max(1, verification.needed)}"
    for signer in verification.signers:
        yield f"{signer.file}: {signer.reason or ', '.join(signer.principals)}"
