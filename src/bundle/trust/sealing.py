"""Secrets sealed for recipients, in the format of age (age-encryption.org/v1) by ``pyrage``.

What is sealed is one canonical JSON document with the content digest of the bundle that the secrets belong to, so they
cannot be carried over to another bundle. age does not say who sealed a file: that is what a signature is for. Both
sides are in memory only. Only the binary form is read, which has one spelling; stock ``age -d`` opens it.
Importing this module needs the extra ``xfer[airgap]``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from bundle.errors import UsageError
from bundle.model import Json
from bundle.record.canonical import encode
from bundle.trust import private_keys
from bundle.trust.digests import opened
from bundle.trust.extra import airgap
from bundle.trust.private_keys import AskPassphrase
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.verify import SEALED_START

with airgap():
    import pyrage

Identity = pyrage.x25519.Identity | pyrage.ssh.Identity
Recipient = pyrage.x25519.Recipient | pyrage.ssh.Recipient

VERSION = "1.0"
LONGEST = 64 * 1024 * 1024
"""Bytes of a sealed file at most."""
_LONGEST_HEADER, _HEADER_LINES = 64 * 1024, 1024

_NATIVE = "AGE-SECRET-KEY-1"


class Sealed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document: the values of ``slots`` belong to the bundle with this content digest."""

    xfer_secrets: str
    content_digest: str
    slots: dict[str, Json]


def recipients_of(lines: Iterable[str]) -> tuple[Recipient, ...]:
    """The recipients of lines: ``age1…``, ``ssh-ed25519 …``, ``ssh-rsa …``; comments and empty lines are none.

    Raises:
        UsageError: one of them is none of these.
    """
    wanted = (line.strip() for line in lines)
    return tuple(_recipient(line) for line in dict.fromkeys(wanted) if line and not line.startswith("#"))


def _recipient(text: str) -> Recipient:
    kind = pyrage.ssh.Recipient if text.startswith("ssh-") else pyrage.x25519.Recipient
    try:
        return kind.from_str(text)
    except pyrage.RecipientError as error:
        raise UsageError(
            f"{text[:40]!r} is not a recipient", hint="use age1…, or the public key of an ssh-ed25519 or ssh-rsa key"
        ) from error


def identities_of(path: Path, ask: AskPassphrase) -> tuple[Identity, ...]:
    """The identities of a file: one of age's, a line each, or one private key of SSH, with a passphrase or without.

    Raises:
        UsageError: it cannot be read, or there are none in it.
    """
    data = private_keys.read(path)
    if data.lstrip().startswith(b"-----BEGIN"):
        return (_ssh_identity(data, path, ask),)
    lines = (line.strip() for line in data.decode(errors="replace").splitlines())
    found = tuple(_native_identity(line, path) for line in lines if line and not line.startswith("#"))
    if not found:
        raise _no_identity(path)
    return found


def _ssh_identity(data: bytes, path: Path, ask: AskPassphrase) -> Identity:
    # age's library wants the key decrypted; that copy is never written anywhere.
    plain = private_keys.without_passphrase(private_keys.parse(data, str(path), ask))
    try:
        return pyrage.ssh.Identity.from_buffer(plain)
    except pyrage.IdentityError as error:
        raise _no_identity(path) from error


def _native_identity(line: str, path: Path) -> Identity:
    try:
        return pyrage.x25519.Identity.from_str(line)
    except pyrage.IdentityError as error:
        raise _no_identity(path) from error


def _no_identity(path: Path) -> UsageError:
    return UsageError(
        f"{path}: not an identity that can open sealed files",
        hint=f"name a file with {_NATIVE}…, or the private half of an ssh-ed25519 or ssh-rsa key",
    )


def seal(slots: Mapping[str, Json], content_digest: str, recipients: Sequence[Recipient]) -> bytes:
    """The sealed file with the values of some slots.

    Raises:
        UsageError: there are no recipients, or the values are too long.
    """
    if not recipients:
        raise UsageError("secrets are not sealed for nobody", hint="name whoever may open them with --recipient")
    plain = encode(Sealed(VERSION, content_digest, dict(slots)))
    sealed = pyrage.encrypt(plain, recipients)
    if len(sealed) > LONGEST:
        raise UsageError(f"the secrets are longer than {LONGEST} bytes", hint="split the bundle")
    return sealed


def unseal_file(path: Path, content_digest: str, identities: Sequence[Identity]) -> dict[str, Json]:
    """The values of a sealed file by slot; raises as ``unseal``, and ``BundleRejected`` if it cannot be read."""
    with opened(path) as file:
        return unseal(file.read(LONGEST + 1), str(path), content_digest, identities)


def unseal(sealed: bytes, name: str, content_digest: str, identities: Sequence[Identity]) -> dict[str, Json]:
    """The values of sealed bytes by slot; ``name`` is the file in messages.

    Raises:
        Distrusted: it is damaged, for other recipients, or for another bundle.
    """
    if len(sealed) > LONGEST:
        raise Distrusted(name, Reason.SEALED_MALFORMED, f"longer than {LONGEST} bytes")
    if not sealed.startswith(SEALED_START):
        raise Distrusted(name, Reason.SEALED_MALFORMED, "not a binary file of age")
    # The library takes a time that grows with the square of the lines before this one.
    end = sealed.find(b"\n---", 0, _LONGEST_HEADER)
    if end < 0 or sealed.count(b"\n", 0, end) > _HEADER_LINES:
        raise Distrusted(name, Reason.SEALED_MALFORMED, "its header names too many recipients")
    document = _document(_decrypt(sealed, name, identities), name)
    if document.content_digest != content_digest:
        raise Distrusted(name, Reason.SEALED_FOR_OTHER_BUNDLE)
    return document.slots


def _decrypt(sealed: bytes, name: str, identities: Sequence[Identity]) -> bytes:
    try:
        return pyrage.decrypt(sealed, identities)
    except pyrage.DecryptError as error:
        # There is one class for all failures.
        is_for_others = str(error).startswith("No matching keys")
        raise Distrusted(name, Reason.SEALED_FOR_OTHERS if is_for_others else Reason.SEALED_MALFORMED) from error
    except OSError as error:
        raise Distrusted(name, Reason.SEALED_MALFORMED) from error


def _document(plain: bytes, name: str) -> Sealed:
    try:
        document = msgspec.json.decode(plain, type=Sealed)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # Not chained: what it says of the place may quote a secret's name.
        raise Distrusted(name, Reason.SEALED_MALFORMED, "its content is not of a known form") from None
    if document.xfer_secrets != VERSION or encode(document) != plain:
        raise Distrusted(name, Reason.SEALED_MALFORMED, "its content is not of a known form")
    return document
