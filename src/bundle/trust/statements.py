"""What people and imports say of files: in-toto Statements (v1) about approvals and results, in canonical JSON.

A statement names its subjects by SHA-256 and says something of them. It is worth what its signature is worth. Strict:
unknown fields, another order or spelling, and subjects of other names are refused.
Source: in-toto/attestation, spec/v1/statement.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from bundle.record.canonical import encode, is_sha256_hex
from bundle.trust.policy import Signer, Verification, count_people
from bundle.trust.reasons import Distrusted, Reason

STATEMENT = "https://in-toto.io/Statement/v1"
APPROVAL = "urn:xfer:predicate:approval-1"
RESULT = "urn:xfer:predicate:result-1"
SUBJECTS = ("bundle", "content", "plan", "report")
"""What a statement can be about: the file of a bundle, its content digest, a saved plan, a report."""

LONGEST = 256 * 1024 * 1024
"""Bytes of a result at most: it has a line for each resource."""
LONGEST_APPROVAL = 1024 * 1024
"""Bytes of an approval at most."""


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """That somebody agrees, and a message for people; ``principal`` is who, null if only the signature says it."""

    principal: str | None
    message: str


class Ending(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one resource ended: its key, the outcome (``state``), and the code of the reason."""

    key: str
    state: str
    reason: str


class VerifiedSigner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A signature of the bundle that was verified before the import."""

    principals: tuple[str, ...]
    key_type: str
    fingerprint: str


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What an import did. It holds no ids; ``url`` of the destination only where that was asked for.

    ``destination`` is the profile that it was named by, null if it was named by its URL. ``approved_by`` are the people
    whose approvals counted, ``versions`` are of ``xfer`` and ``server``, ``policies`` the choices by name. ``found``
    is the content digest of the destination after it was read back, null if that was not done.
    """

    destination: str | None
    url: str | None
    versions: dict[str, str]
    policies: dict[str, str]
    signers: tuple[VerifiedSigner, ...]
    approved_by: tuple[str, ...]
    account: tuple[Ending, ...]
    found: str | None


class Digest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A SHA-256 in hex."""

    sha256: str


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that a statement is about; ``name`` is one of ``SUBJECTS``."""

    name: str
    digest: Digest


P = TypeVar("P", Approval, Result)


class Statement(msgspec.Struct, Generic[P], frozen=True, forbid_unknown_fields=True, rename={"type": "_type"}):
    """A statement with its predicate."""

    type: str
    subject: tuple[Subject, ...]
    predicateType: str  # noqa: N815 - in-toto's name
    predicate: P

    @property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each subject, in hex, by name."""
        return {subject.name: subject.digest.sha256 for subject in self.subject}


def approval(digests: Mapping[str, str], principal: str | None, message: str) -> bytes:
    """The document of an approval; ``digests`` are those of ``bundle`` and ``plan``, and ``report`` if there is one."""
    return encode(Statement(STATEMENT, _subjects(digests), APPROVAL, Approval(principal, message)))


def result(digests: Mapping[str, str], what: Result) -> bytes:
    """The document of a result; ``digests`` are those of ``bundle`` and ``content``, and ``plan`` if there was one."""
    return encode(Statement(STATEMENT, _subjects(digests), RESULT, what))


def _subjects(digests: Mapping[str, str]) -> tuple[Subject, ...]:
    return tuple(Subject(name, Digest(digests[name])) for name in SUBJECTS if name in digests)


def read_approval(data: bytes, name: str) -> Statement[Approval]:
    """The approval of a document; ``name`` is the file in messages.

    Raises:
        Distrusted: it is not exactly what ``approval`` makes.
    """
    statement = _decoded(data, name, Statement[Approval], LONGEST_APPROVAL)
    return _checked(data, name, statement, APPROVAL, {"bundle", "plan"})


def read_result(data: bytes, name: str) -> Statement[Result]:
    """The result of a document; raises as ``read_approval``."""
    statement = _decoded(data, name, Statement[Result], LONGEST)
    return _checked(data, name, statement, RESULT, {"bundle", "content"})


S = TypeVar("S", Statement[Approval], Statement[Result])


def _decoded(data: bytes, name: str, type_: type[S], longest: int) -> S:
    if len(data) > longest:
        raise Distrusted(name, Reason.STATEMENT_MALFORMED, f"longer than {longest} bytes")
    try:
        return msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Distrusted(name, Reason.STATEMENT_MALFORMED, str(error)) from error


def _checked(data: bytes, name: str, statement: S, predicate_type: str, needed: set[str]) -> S:
    if statement.type != STATEMENT or statement.predicateType != predicate_type:
        raise Distrusted(name, Reason.STATEMENT_MALFORMED, "another kind of statement")
    digests = statement.digests
    if not needed <= digests.keys() or not all(map(is_sha256_hex, digests.values())):
        raise Distrusted(name, Reason.STATEMENT_MALFORMED, "its subjects are not those of such a statement")
    # One spelling: no doubled members, no spaces, subjects of known names in their order.
    if encode(statement) != data or _subjects(digests) != statement.subject:
        raise Distrusted(name, Reason.STATEMENT_MALFORMED, "it is not written the one way that statements are")
    return statement


def check_subjects(statement: S, digests: Mapping[str, str], name: str) -> S:
    """The statement itself.

    Raises:
        Distrusted: it is not about the things with these digests, or lacks one of them.
    """
    wrong = [each for each in digests if statement.digests.get(each) != digests[each]]
    if wrong:
        raise Distrusted(name, Reason.STATEMENT_FOR_OTHERS, ", ".join(wrong))
    return statement


class Approved(msgspec.Struct, frozen=True):
    """An approval and the verification of its signature; ``file`` names it in messages."""

    file: str
    statement: Statement[Approval]
    verification: Verification


class FourEyes(msgspec.Struct, frozen=True):
    """Who approved: ``principals`` of the approvals that count, ``passed_over`` the others with why, ``people``."""

    principals: tuple[str, ...]
    passed_over: tuple[tuple[str, str], ...]
    people: int


def four_eyes(approvals: Sequence[Approved], bundle: Verification | None) -> FourEyes:
    """Which approvals count: signed by the principal that they name, who did not also sign the bundle.

    Who signed the bundle is anybody whose signature fits it, whether or not they are trusted to.
    """
    makers = bundle.signers if bundle else ()
    counted, passed_over = list[tuple[str, Signer]](), list[tuple[str, str]]()
    for each in approvals:
        named = each.statement.predicate.principal
        signer = _signer(each, named)
        if signer is None:
            passed_over.append((each.file, f"not signed by {named}"))
            continue
        principal = named or ", ".join(signer.principals)
        if any(_is_same_person(signer, maker) for maker in makers):
            passed_over.append((each.file, f"{principal} signed the bundle"))
        else:
            counted.append((principal, signer))
    people = count_people([(signer.fingerprint, signer.principals) for _, signer in counted])
    return FourEyes(tuple(principal for principal, _ in counted), tuple(passed_over), people)


def require_approvals(what: str, found: FourEyes, needed: int) -> FourEyes:
    """What was found itself.

    Raises:
        Distrusted: fewer people approved than are needed.
    """
    if found.people >= needed:
        return found
    others = "; ".join(f"{file}: {why}" for file, why in found.passed_over)
    raise Distrusted(what, Reason.TOO_FEW_APPROVALS, f"{found.people} of {needed}" + (f"; {others}" if others else ""))


def _signer(approved: Approved, principal: str | None) -> Signer | None:
    """Who signed an approval, as the principal that it names if it names one."""
    signers = (each for each in approved.verification.signers if each.reason is None)
    return next((each for each in signers if principal is None or principal in each.principals), None)


def _is_same_person(one: Signer, other: Signer) -> bool:
    return one.fingerprint == other.fingerprint or not set(one.principals).isdisjoint(other.principals)
