"""The mathematics of signatures, by ``cryptography``: whether one fits, and making one with a private key.

Nothing here reads files or decides whom to trust. Importing this module needs the extra ``xfer[airgap]``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from bundle.trust import keys, sshsig
from bundle.trust.extra import airgap
from bundle.trust.keys import Certificate, PublicKey
from bundle.trust.sshsig import Signature
from bundle.trust.wire import MalformedError, uint32

with airgap():
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_TOUCHED = 1
_PIN_GIVEN = 4
_CURVES: Mapping[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    "nistp256": (ec.SECP256R1(), hashes.SHA256()),
    "nistp384": (ec.SECP384R1(), hashes.SHA384()),
    "nistp521": (ec.SECP521R1(), hashes.SHA512()),
}
_RSA_HASHES: Mapping[str, hashes.HashAlgorithm] = {"rsa-sha2-256": hashes.SHA256(), "rsa-sha2-512": hashes.SHA512()}


def fits(key: PublicKey, signature: Signature, message: bytes) -> bool:
    """Whether a signature is that of a key over a message; certificates are not looked at."""
    if key.is_in_security_key:
        message = _as_seen(key, signature, message)
    try:
        _verify(key, signature, message)
    except (InvalidSignature, ValueError):
        # A ValueError: the key is not on its curve, a number is out of range.
        return False
    return True


def is_touched(key: PublicKey, signature: Signature) -> bool:
    """Whether a security key says that somebody touched it, and gave the PIN where a certificate requires one."""
    needed = _TOUCHED
    if key.certificate and "verify-required" in key.certificate.critical_options:
        needed |= _PIN_GIVEN
    return not key.is_in_security_key or signature.flags & needed == needed


def is_vouched_for(certificate: Certificate) -> bool:
    """Whether a certificate is signed by the authority that it names."""
    try:
        signature = sshsig.read_signature(certificate.authority, certificate.signature)
    except MalformedError:
        return False
    return fits(certificate.authority, signature, certificate.signed)


def _as_seen(key: PublicKey, signature: Signature, message: bytes) -> bytes:
    """What a security key signs: application, flags, counter and the digest of the message (PROTOCOL.u2f)."""
    application = hashlib.sha256(key.fields[-1]).digest()
    state = bytes((signature.flags,)) + uint32(signature.counter)
    return application + state + hashlib.sha256(message).digest()


def _verify(key: PublicKey, signature: Signature, message: bytes) -> None:
    if "ed25519" in key.type:
        ed25519.Ed25519PublicKey.from_public_bytes(key.fields[0]).verify(signature.value, message)
    elif key.type == keys.RSA:
        exponent, modulus = (int.from_bytes(field) for field in key.fields)
        public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
        public.verify(signature.value, message, padding.PKCS1v15(), _RSA_HASHES[signature.algorithm])
    else:
        curve, digest = _CURVES[key.fields[0].decode()]
        point = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.fields[1])
        point.verify(encode_dss_signature(*sshsig.numbers(signature.value)), message, ec.ECDSA(digest))


def sign(private: PrivateKey, key: PublicKey, message: bytes) -> Signature:
    """The signature of a private key over a message; RSA signs with SHA-512."""
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return Signature(key.type, private.sign(message))
    if isinstance(private, rsa.RSAPrivateKey):
        algorithm = "rsa-sha2-512"
        return Signature(algorithm, private.sign(message, padding.PKCS1v15(), _RSA_HASHES[algorithm]))
    _, digest = _CURVES[key.fields[0].decode()]
    r, s = decode_dss_signature(private.sign(message, ec.ECDSA(digest)))
    return Signature(key.type, sshsig.two_numbers(r, s))
