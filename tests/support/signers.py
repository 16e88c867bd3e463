"""People with keys: made here, written as files where a program wants them, and a security key in software."""

from __future__ import annotations

import base64
import functools
import hashlib
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from bundle.trust import algorithms, keys, private_keys, sshsig
from bundle.trust.digests import of_file
from bundle.trust.keys import PublicKey
from bundle.trust.private_keys import PrivateKey
from bundle.trust.sshsig import Envelope, Hash, Signature
from bundle.trust.wire import string, uint32, uint64

KINDS = ("ed25519", "ecdsa-256", "ecdsa-384", "ecdsa-521", "rsa-2048", "rsa-3072", "rsa-4096")
SECURITY_KEYS = ("sk-ed25519", "sk-ecdsa")
CONTENT = b"what is signed\n"
NEVER = 2**64 - 1
_CURVES = {"256": ec.SECP256R1(), "384": ec.SECP384R1(), "521": ec.SECP521R1()}
_APPLICATION = b"ssh:"


class Person(msgspec.Struct, frozen=True):
    """A private key and its public half, which may have a certificate or be in a security key."""

    private: PrivateKey
    public: PublicKey

    @property
    def line(self) -> str:
        """The public key as a ``.pub`` file and ``allowed_signers`` have it."""
        return line_of(self.public.blob)

    def sign(self, content: bytes, namespace: str = "xfer-bundle", hash_: Hash = "sha512", *, flags: int = 1) -> bytes:
        """A signature file over some content."""
        message = sshsig.message(namespace, hash_, hashlib.new(hash_, content).digest())
        return sshsig.write(Envelope(self.public, namespace, hash_, self._signature(message, flags)))

    def _signature(self, message: bytes, flags: int) -> Signature:
        if not self.public.is_in_security_key:
            return algorithms.sign(self.private, self.public, message)
        counter = 7
        seen = hashlib.sha256(_APPLICATION).digest() + bytes((flags,)) + uint32(counter)
        seen += hashlib.sha256(message).digest()
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return Signature(keys.SK_ED25519, self.private.sign(seen), flags, counter)
        assert isinstance(self.private, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(self.private.sign(seen, ec.ECDSA(hashes.SHA256())))
        return Signature(keys.SK_ECDSA, sshsig.two_numbers(r, s), flags, counter)

    def write(self, path: Path, passphrase: str = "") -> Path:
        """The private key as a file in OpenSSH's form, with the ``.pub`` beside it; gives the private one's place."""
        lock = (
            serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
        )
        form = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH
        path.touch(0o600)
        path.write_bytes(self.private.private_bytes(*form, lock))
        Path(f"{path}.pub").write_text(f"{self.line} {path.name}\n")
        if self.public.certificate:
            Path(f"{path}-cert.pub").write_text(f"{line_of(self.public.wire)} {path.name}\n")
        return path


def line_of(blob: bytes) -> str:
    """``TYPE KEY`` of a key or certificate in binary form."""
    length = int.from_bytes(blob[:4])
    return f"{blob[4 : 4 + length].decode()} {base64.b64encode(blob).decode()}"


@functools.cache
def person(kind: str, number: int = 1) -> Person:
    """The same person for the same kind and number during a test run."""
    private = _private(kind, number)
    public = private_keys.public_key(private, kind)
    return Person(private, _in_security_key(public) if kind.startswith("sk-") else public)


def _private(kind: str, number: int) -> PrivateKey:
    # Those that can be are the same in every process: a name of a test may hold a key.
    seed = hashlib.shake_256(f"{kind} {number}".encode())
    if kind.endswith("ed25519"):
        return ed25519.Ed25519PrivateKey.from_private_bytes(seed.digest(32))
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa-")))
    curve = _CURVES[kind.partition("-")[2].replace("ecdsa", "256")]
    return ec.derive_private_key(int.from_bytes(seed.digest(curve.key_size // 8 - 1)), curve)


def _in_security_key(public: PublicKey) -> PublicKey:
    type_ = keys.SK_ED25519 if public.type == keys.ED25519 else keys.SK_ECDSA
    fields = (*public.fields, _APPLICATION)
    return PublicKey(type_, fields, string(type_) + b"".join(map(string, fields)))


def certified(
    subject: Person,
    authority: Person,
    principals: tuple[str, ...] = ("alice@example.com",),
    *,
    valid_after: int = 0,
    valid_before: int = NEVER,
    critical: tuple[str, ...] = (),
    is_for_user: bool = True,
) -> Person:
    """The same person with a certificate."""
    blob = _certificate(subject, authority, principals, valid_after, valid_before, critical, is_for_user=is_for_user)
    return Person(subject.private, keys.read(blob))


def _certificate(
    subject: Person,
    authority: Person,
    principals: tuple[str, ...],
    valid_after: int,
    valid_before: int,
    critical: tuple[str, ...],
    *,
    is_for_user: bool,
) -> bytes:
    public = subject.public
    head = string(keys.certified(public.type)) + string(b"n" * 32) + b"".join(map(string, public.fields))
    options = b"".join(string(name) + string(string(b"x") if name == "force-command" else b"") for name in critical)
    names = b"".join(map(string, principals))
    body = uint64(5) + uint32(1 if is_for_user else 2) + string(b"an id") + string(names)
    body += uint64(valid_after) + uint64(valid_before) + string(options) + string(b"") + string(b"")
    signed = head + body + string(authority.public.blob)
    signature = algorithms.sign(authority.private, authority.public, signed)
    return signed + string(sshsig.write_signature(signature))


def signed_file(path: Path, *people: Person, namespace: str = "xfer-bundle") -> Path:
    """A file with a signature beside it by each of some people."""
    path.write_bytes(CONTENT)
    for number, each in enumerate(people):
        name = f"{path.name}.{number}.sig" if number else f"{path.name}.sig"
        path.with_name(name).write_bytes(each.sign(CONTENT, namespace))
    assert of_file(path).size == len(CONTENT)
    return path


def seconds(text: str) -> int:
    """The seconds since 1970 of an ISO time."""
    return int(datetime.fromisoformat(text).timestamp())
