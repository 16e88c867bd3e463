"""Verifying the signatures of a file: which there are, whether each fits, and whether they are enough.

In this order: the file is read once for its digests; each signature file is bounded, read strictly, compared with the
kind of file it should be for, checked by mathematics, and only then looked up in the file of allowed signers.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path

from bundle.trust import sshsig
from bundle.trust.digests import Digests, opened
from bundle.trust.policy import Denied, Policy, Signer, Verification, decide, principals_of, require
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.sshsig import Envelope
from bundle.trust.wire import MalformedError

SUFFIX = ".sig"
SEALED_START = b"age-encryption.org/v1\n"
"""How a sealed file begins: with the first line of age."""


class Namespace(StrEnum):
    """As what a file is signed: a signature for one is none for another."""

    BUNDLE = "xfer-bundle"
    PLAN = "xfer-plan"
    APPROVAL = "xfer-approval"
    RESULT = "xfer-result"
    SECRETS = "xfer-secrets"


def signature_path(path: Path, name: str = "") -> Path:
    """Where the signature of a file is: ``env.pxb.sig``, that of a further signer ``env.pxb.NAME.sig``."""
    return path.with_name(f"{path.name}{'.' if name else ''}{name}{SUFFIX}")


def signature_files(path: Path) -> tuple[Path, ...]:
    """The signature files beside a file, that without a name first; those of other files are not among them."""
    first = signature_path(path)
    named = (each for each in path.parent.glob("*") if _is_named(each, path))
    return (*((first,) if first.exists() else ()), *sorted(named))


def _is_named(file: Path, path: Path) -> bool:
    start = f"{path.name}."
    name = file.name[len(start) : -len(SUFFIX)]
    is_signature = file.name.startswith(start) and file.name.endswith(SUFFIX)
    return is_signature and is_signer_name(name) and not file.with_suffix("").exists()


def is_signer_name(name: str) -> bool:
    """Whether a name can tell the signature of a further signer apart."""
    return _NAME.fullmatch(name) is not None


# No dots: what is between two of them belongs to the name of another file. Nor is it one of our own endings.
_NAME = re.compile(r"(?!(?:age|parts|receipt)\Z)[A-Za-z0-9_-]+", re.ASCII)


def verify(
    what: str, digests: Digests, files: Sequence[Path], *, namespace: Namespace, policy: Policy | None
) -> Verification | None:
    """Who signed a file with these digests; None if nobody did and no policy asks for it. ``what`` names the file.

    Raises:
        Distrusted: a signature is wrong, they are not enough, or there is one and no policy.
        BundleRejected: a signature file cannot be read.
    """
    if policy is None:
        if files:
            raise Distrusted(what, Reason.TRUST_FILE_MISSING)
        return None
    signers = [_judge(file, digests, namespace, policy) for file in files]
    return require(what, decide(signers, policy))


def _judge(file: Path, digests: Digests, namespace: Namespace, policy: Policy) -> Signer:
    try:
        envelope = sshsig.read(_bytes(file))
    except MalformedError as error:
        return Signer(str(file), "", "", reason=Reason.SIGNATURE_MALFORMED, details=str(error))
    known = Signer(str(file), envelope.key.type, envelope.key.fingerprint)
    try:
        _check_mathematics(envelope, digests, namespace)
        principals = principals_of(envelope.key, namespace, policy)
    except Denied as denied:
        return Signer(known.file, known.key_type, known.fingerprint, reason=denied.reason, details=denied.details)
    return Signer(known.file, known.key_type, known.fingerprint, principals)


def _bytes(file: Path) -> bytes:
    with opened(file) as stream:
        return stream.read(sshsig.LONGEST + 1)


def _check_mathematics(envelope: Envelope, digests: Digests, namespace: Namespace) -> None:
    from bundle.trust import algorithms  # noqa: PLC0415 - needs the extra, which those without signatures lack

    if envelope.namespace != namespace:
        raise Denied(Reason.NAMESPACE_WRONG, f"{envelope.namespace}, not {namespace}")
    key = envelope.key
    # What was signed is rebuilt of what we know, not of what the signature says.
    message = sshsig.message(namespace, envelope.hash, digests.of(envelope.hash))
    if not algorithms.fits(key, envelope.signature, message):
        raise Denied(Reason.SIGNATURE_WRONG)
    if key.certificate and not algorithms.is_vouched_for(key.certificate):
        raise Denied(Reason.SIGNATURE_WRONG, "the certificate is not by the authority that it names")
    if not algorithms.is_touched(key, envelope.signature):
        raise Denied(Reason.NOT_TOUCHED)
