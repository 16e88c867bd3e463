"""Public keys and certificates of SSH in their binary form; no mathematics.

Sources: RFC 4253 section 6.6 (RSA), RFC 5656 section 3.1 (ECDSA), RFC 8709 (Ed25519), and OpenSSH's PROTOCOL.u2f
(``sk-…``) and PROTOCOL.certkeys. What is weak is refused here: RSA below 2048 bits, the points of Ed25519 under which
one signature fits everything, DSA, and certificates that are signed with SHA-1.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping

import msgspec

from bundle.trust.wire import MalformedError, Reader, string

CERTIFICATE_SUFFIX = "-cert-v01@openssh.com"
_OF_OPENSSH = "@openssh.com"
RSA = "ssh-rsa"
ED25519 = "ssh-ed25519"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA = "sk-ecdsa-sha2-nistp256@openssh.com"
CURVES = {"nistp256": 32, "nistp384": 48, "nistp521": 66}
"""The curves of ECDSA, and how many bytes a coordinate has."""

_RSA_BITS = range(2048, 16_384 + 1)
_USER = 1
_PRIME = 2**255 - 19
# The heights of all points whose order divides eight; the sign bit does not matter.
_ORDER_EIGHT = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = {0, 1, _PRIME - 1, _ORDER_EIGHT, _PRIME - _ORDER_EIGHT}


class PublicKey(msgspec.Struct, frozen=True):
    """A key: its type, its fields without certificate, and the certificate if it came with one.

    ``fields`` are the strings of the binary form after the type: for ``ssh-ed25519`` the point, for ECDSA the curve and
    the point, for RSA exponent and modulus, for ``sk-…`` also the application. Two keys are one if their ``blob`` is.
    """

    type: str
    fields: tuple[bytes, ...]
    blob: bytes
    certificate: Certificate | None = None

    @property
    def fingerprint(self) -> str:
        """``SHA256:…`` of the key itself, as ``ssh-keygen -l`` shows it, with and without a certificate."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def wire(self) -> bytes:
        """The binary form as it came: that of the certificate, if there is one."""
        return self.certificate.blob if self.certificate else self.blob

    @property
    def is_in_security_key(self) -> bool:
        """Whether it lives in a security key, which says whether somebody touched it."""
        return self.type.startswith("sk-")


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """What an authority says of a key; times are seconds since 1970. ``signed`` are the bytes that it signed."""

    blob: bytes
    serial: int
    is_for_user: bool
    key_id: bytes
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical_options: tuple[str, ...]
    authority: PublicKey
    signed: bytes
    signature: bytes


def read_line(type_: str, encoded: str) -> PublicKey:
    """The key of two words of text, ``ssh-ed25519 AAAA…``.

    Raises:
        MalformedError: it is not exactly one key of a type that is known and strong enough.
    """
    return read(decode_line(type_, encoded))


def decode_line(type_: str, encoded: str) -> bytes:
    """The binary form of two words of text, not looked at beyond its type.

    Raises:
        MalformedError: it is not base64, or of another type.
    """
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedError("the key is not base64") from error
    if base64.b64encode(blob).decode() != encoded:
        raise MalformedError("the key is not base64 as it is written")
    if Reader(blob).string() != type_.encode():
        raise MalformedError("the key is of another type than its line says")
    return blob


def read(blob: bytes) -> PublicKey:
    """The key of a binary form; raises as ``read_line``."""
    reader = Reader(blob)
    name = reader.text()
    is_certified = name.endswith(CERTIFICATE_SUFFIX)
    type_ = _plain(name) if is_certified else name
    if is_certified:
        reader.string()  # the nonce
    fields = _fields(type_, reader)
    certificate = _certificate(blob, reader) if is_certified else None
    reader.end()
    return PublicKey(type_, fields, string(type_) + b"".join(map(string, fields)), certificate)


def certified(type_: str) -> str:
    """The type of a certificate of keys of some type."""
    return type_.removesuffix(_OF_OPENSSH) + CERTIFICATE_SUFFIX


def _plain(name: str) -> str:
    start = name.removesuffix(CERTIFICATE_SUFFIX)
    return start + _OF_OPENSSH if start.startswith("sk-") else start


def _fields(type_: str, reader: Reader) -> tuple[bytes, ...]:
    if type_ not in _SHAPES:
        raise MalformedError(f"keys of type {type_} are not supported")
    return _SHAPES[type_](reader)


def _ed25519(reader: Reader) -> tuple[bytes, ...]:
    point = reader.string()
    height = int.from_bytes(point, "little") % 2**255
    if len(point) != 32 or height >= _PRIME:  # noqa: PLR2004 - RFC 8032
        raise MalformedError("the key is not a point of Ed25519")
    if height in _SMALL_ORDER:
        raise MalformedError("the key is weak: one signature would fit every file")
    return (point,)


def _ecdsa(curve: str) -> Callable[[Reader], tuple[bytes, ...]]:
    def read_point(reader: Reader) -> tuple[bytes, ...]:
        name, point = reader.string(), reader.string()
        if name != curve.encode() or len(point) != 1 + 2 * CURVES[curve] or point[0] != 4:  # noqa: PLR2004 - SEC 1
            raise MalformedError(f"the key is not a point of {curve}")
        return (name, point)

    return read_point


def _rsa(reader: Reader) -> tuple[bytes, ...]:
    exponent, modulus = reader.positive(), reader.positive()
    if modulus.bit_length() not in _RSA_BITS:
        raise MalformedError(f"an RSA key of {modulus.bit_length()} bits; they must have 2048 to 16384")
    if exponent < 3 or exponent % 2 == 0 or exponent.bit_length() > 64:  # noqa: PLR2004 - as OpenSSL
        raise MalformedError("the exponent of the RSA key is not usable")
    return (_unsigned(exponent), _unsigned(modulus))


def _unsigned(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1)


def _in_security_key(shape: Callable[[Reader], tuple[bytes, ...]]) -> Callable[[Reader], tuple[bytes, ...]]:
    return lambda reader: (*shape(reader), reader.string())


_SHAPES: Mapping[str, Callable[[Reader], tuple[bytes, ...]]] = {
    ED25519: _ed25519,
    RSA: _rsa,
    **{f"ecdsa-sha2-{curve}": _ecdsa(curve) for curve in CURVES},
    SK_ED25519: _in_security_key(_ed25519),
    SK_ECDSA: _in_security_key(_ecdsa("nistp256")),
}


def _certificate(blob: bytes, reader: Reader) -> Certificate:
    serial, use, key_id = reader.uint64(), reader.uint32(), reader.string()
    principals = _texts(reader.string())
    if "" in principals:
        raise MalformedError("a principal of the certificate is empty")
    valid_after, valid_before = reader.uint64(), reader.uint64()
    critical = _options(reader.string())
    _options(reader.string())  # extensions may be ignored
    if reader.string():
        raise MalformedError("the certificate uses a field that has no meaning yet")
    authority = read(reader.string())
    signed = blob[: reader.offset]
    signature = reader.string()
    if authority.certificate:
        raise MalformedError("the authority of the certificate is itself a certificate")
    return Certificate(
        blob=blob,
        serial=serial,
        is_for_user=use == _USER,
        key_id=key_id,
        principals=principals,
        valid_after=valid_after,
        valid_before=valid_before,
        critical_options=critical,
        authority=authority,
        signed=signed,
        signature=signature,
    )


def _texts(data: bytes) -> tuple[str, ...]:
    reader, texts = Reader(data), []
    while reader.offset < len(data):
        texts.append(reader.text())
    return tuple(texts)


def _options(data: bytes) -> tuple[str, ...]:
    """The names of options, which are in order, each once, each with a value."""
    reader, names = Reader(data), list[str]()
    while reader.offset < len(data):
        names.append(reader.text())
        reader.string()
    if names != sorted(set(names)):
        raise MalformedError("the options of the certificate are not in order")
    return tuple(names)
