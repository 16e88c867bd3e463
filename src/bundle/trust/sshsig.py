"""The file format of a detached signature, SSHSIG (OpenSSH's PROTOCOL.sshsig): text to values and back.

Strict: exactly one form of each signature is accepted, so a changed byte is a refusal, whether or not the mathematics
would have noticed. Lines may be as long as ``ssh-keygen`` (70), the specification (76) or PEM (64) has them.
"""

from __future__ import annotations

import base64
import binascii
from typing import Literal

import msgspec

from bundle.trust import keys
from bundle.trust.keys import PublicKey
from bundle.trust.wire import MalformedError, Reader, mpint, string, uint32

Hash = Literal["sha256", "sha512"]

LONGEST = 16 * 1024
"""Bytes of a signature file at most."""

_BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
_END = b"-----END SSH SIGNATURE-----\n"
_WIDTH = 70
_WIDTHS = (_WIDTH, 76, 64)
_MAGIC = b"SSHSIG"
_VERSION = 1
_HASHES: tuple[Hash, ...] = ("sha512", "sha256")
_RSA_ALGORITHMS = ("rsa-sha2-512", "rsa-sha2-256")


class Signature(msgspec.Struct, frozen=True):
    """What a key made of a message: ``value`` is that of the mathematics.

    It is 64 bytes for Ed25519, as long as the modulus for RSA, and the two numbers of ECDSA, each as ``mpint``.
    A security key adds what it saw (``flags``: 1 touched, 4 PIN given) and how often it signed.
    """

    algorithm: str
    value: bytes
    flags: int = 0
    counter: int = 0


class Envelope(msgspec.Struct, frozen=True):
    """A signature file: who signed, as which kind of file (``namespace``), over which hash, and the signature."""

    key: PublicKey
    namespace: str
    hash: Hash
    signature: Signature


def read(data: bytes) -> Envelope:
    """The envelope of a signature file.

    Raises:
        MalformedError: it is not exactly what ``write`` makes of an envelope, or the key is too weak.
    """
    return _read_blob(_unarmored(data))


def write(envelope: Envelope) -> bytes:
    """The signature file of an envelope, as ``ssh-keygen`` writes it."""
    blob = b"".join(
        (
            _MAGIC,
            uint32(_VERSION),
            string(envelope.key.wire),
            string(envelope.namespace),
            string(b""),
            string(envelope.hash),
            string(write_signature(envelope.signature)),
        )
    )
    return _armored(base64.b64encode(blob), _WIDTH)


def message(namespace: str, hash_: Hash, digest: bytes) -> bytes:
    """What is signed: the namespace, the name of the hash, and the digest of the file."""
    return _MAGIC + string(namespace) + string(b"") + string(hash_) + string(digest)


def _unarmored(data: bytes) -> bytes:
    if len(data) > LONGEST:
        raise MalformedError(f"longer than {LONGEST} bytes")
    if not (data.startswith(_BEGIN) and data.endswith(_END)):
        raise MalformedError("its first or last line is not that of a signature")
    text = data[len(_BEGIN) : -len(_END)].replace(b"\n", b"")
    if data not in [_armored(text, width) for width in _WIDTHS]:
        raise MalformedError("its lines are not of one length")
    try:
        blob = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise MalformedError("it is not base64") from error
    if base64.b64encode(blob) != text:
        raise MalformedError("it is not base64 as it is written")
    return blob


def _armored(text: bytes, width: int) -> bytes:
    lines = (text[start : start + width] + b"\n" for start in range(0, len(text), width))
    return _BEGIN + b"".join(lines) + _END


def _read_blob(blob: bytes) -> Envelope:
    reader = Reader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC or reader.uint32() != _VERSION:
        raise MalformedError("it is not an SSH signature of version 1")
    key = keys.read(reader.string())
    namespace = reader.text()
    if reader.string():
        raise MalformedError("it uses a field that has no meaning yet")
    hash_ = _hash(reader.text())
    signature = read_signature(key, reader.string())
    reader.end()
    return Envelope(key, namespace, hash_, signature)


def _hash(name: str) -> Hash:
    for known in _HASHES:
        if name == known:
            return known
    raise MalformedError("its hash is neither sha256 nor sha512")


def read_signature(key: PublicKey, blob: bytes) -> Signature:
    """A signature by a key, of its binary form (RFC 4253 section 6.6, RFC 5656 section 3.1.2, PROTOCOL.u2f).

    Raises:
        MalformedError: the algorithm is not one of the key's, or is SHA-1; or a length or a number is not exact.
    """
    reader = Reader(blob)
    algorithm = reader.text()
    if algorithm not in (_RSA_ALGORITHMS if key.type == keys.RSA else (key.type,)):
        raise MalformedError("its algorithm is not one of its key")
    value = reader.string()
    flags, counter = (reader.byte(), reader.uint32()) if key.is_in_security_key else (0, 0)
    reader.end()
    _check_value(key, value)
    return Signature(algorithm, value, flags, counter)


def write_signature(signature: Signature) -> bytes:
    """The binary form of a signature."""
    is_by_security_key = signature.algorithm.startswith("sk-")
    extra = bytes((signature.flags,)) + uint32(signature.counter) if is_by_security_key else b""
    return string(signature.algorithm) + string(signature.value) + extra


def _check_value(key: PublicKey, value: bytes) -> None:
    if "ecdsa" in key.type:
        numbers(value)
    elif len(value) != (64 if "ed25519" in key.type else len(key.fields[1].lstrip(b"\0"))):
        raise MalformedError("its length does not fit its key")


def numbers(value: bytes) -> tuple[int, int]:
    """The two numbers of an ECDSA signature, ``r`` and ``s``.

    Raises:
        MalformedError: they are not exactly two positive numbers, each written the shortest way.
    """
    reader = Reader(value)
    r, s = reader.positive(), reader.positive()
    reader.end()
    return r, s


def two_numbers(r: int, s: int) -> bytes:
    """The value of an ECDSA signature with these numbers."""
    return mpint(r) + mpint(s)
