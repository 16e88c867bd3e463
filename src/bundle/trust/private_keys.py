"""Private keys of SSH, read from files by ``cryptography``; importing this module needs the extra ``xfer[airgap]``.

A passphrase is asked for only if a key needs one. Nothing of a key is ever part of a message.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bundle.errors import UsageError
from bundle.files import input_errors
from bundle.trust import keys
from bundle.trust.extra import airgap
from bundle.trust.keys import PublicKey
from bundle.trust.wire import MalformedError

with airgap():
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
AskPassphrase = Callable[[str], str]
"""Called with the name of a key's file; gives its passphrase."""

LONGEST = 64 * 1024
"""Bytes of a file with a private key at most."""

_OPENSSH = b"-----BEGIN OPENSSH PRIVATE KEY-----"


def load(path: Path, ask: AskPassphrase) -> PrivateKey:
    """The private key of a file, in OpenSSH's form or in PEM.

    Raises:
        UsageError: it cannot be read, is no private key, its passphrase is wrong, or it is in a security key.
    """
    return parse(read(path), str(path), ask)


def read(path: Path) -> bytes:
    """The bytes of a file with keys; raises as ``load``."""
    hint = "name the file of a private key"
    with input_errors(path, UsageError, hint=hint), path.open("rb") as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise UsageError(f"{path}: too long for a key", hint=hint)
    return data


def parse(data: bytes, name: str, ask: AskPassphrase) -> PrivateKey:
    """The private key of some bytes; ``name`` is the file in messages. Raises as ``load``."""
    try:
        try:
            key = _parse(data, None)
        except TypeError:
            # That is how cryptography says that a passphrase is missing.
            key = _parse(data, ask(name).encode())
    except UnsupportedAlgorithm as error:
        hint = "keys in security keys, and encrypted ones without the package bcrypt, need the program ssh-keygen"
        raise UsageError(f"{name}: this private key cannot be used without ssh-keygen", hint=hint) from error
    except ValueError as error:
        raise UsageError(
            f"{name}: not a private key, or not with this passphrase", hint="name an Ed25519, ECDSA or RSA key of SSH"
        ) from error
    if not isinstance(key, PrivateKey):
        raise UsageError(f"{name}: a private key of a kind that is not used", hint="use Ed25519, ECDSA or RSA")
    return key


def _parse(data: bytes, passphrase: bytes | None) -> object:
    if data.lstrip().startswith(_OPENSSH):
        return serialization.load_ssh_private_key(data, passphrase)
    return serialization.load_pem_private_key(data, passphrase)


def public_key(private: PrivateKey, name: str) -> PublicKey:
    """The public half of a private key.

    Raises:
        UsageError: the key is too weak, or of a kind that SSH does not know.
    """
    try:
        form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
        type_, encoded = private.public_key().public_bytes(*form).decode().split()
        return keys.read_line(type_, encoded)
    except (UnsupportedAlgorithm, ValueError, MalformedError) as error:
        reason = str(error) if isinstance(error, MalformedError) else "a curve that SSH does not know"
        raise UsageError(f"{name}: {reason}", hint="use Ed25519, ECDSA or RSA of 2048 bits and more") from error


def without_passphrase(private: PrivateKey) -> bytes:
    """A private key in OpenSSH's form and not encrypted; only ever for memory."""
    form = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH
    return private.private_bytes(*form, serialization.NoEncryption())
