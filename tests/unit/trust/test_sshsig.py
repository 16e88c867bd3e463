"""bundle.trust.sshsig and algorithms: one form of each signature, and the mathematics."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable

import msgspec
import pytest

from bundle.trust import algorithms, sshsig
from bundle.trust.sshsig import Hash, Signature
from bundle.trust.wire import MalformedError, string, uint32
from support.signers import CONTENT, KINDS, SECURITY_KEYS, certified, person

EVERY_KEY = pytest.mark.parametrize("kind", [*KINDS, *SECURITY_KEYS])
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def is_accepted(data: bytes, content: bytes = CONTENT, namespace: str = "xfer-bundle") -> bool:
    """Whether a signature file is read and fits, as ``bundle.trust.verify`` would have it."""
    try:
        envelope = sshsig.read(data)
    except MalformedError:
        return False
    digest = hashlib.new(envelope.hash, content).digest()
    message = sshsig.message(namespace, envelope.hash, digest)
    return envelope.namespace == namespace and algorithms.fits(envelope.key, envelope.signature, message)


@EVERY_KEY
@pytest.mark.parametrize("hash_", ["sha256", "sha512"])
def test_what_is_signed_is_accepted(kind: str, hash_: Hash) -> None:
    """A signature fits its content, and no other content and no other namespace."""
    data = person(kind).sign(CONTENT, hash_=hash_)

    assert is_accepted(data)
    assert not is_accepted(data, CONTENT + b"x")
    assert not is_accepted(data, namespace="xfer-plan")


@EVERY_KEY
def test_reading_and_writing_are_inverse(kind: str) -> None:
    """What is read is written back as the same bytes."""
    data = person(kind).sign(CONTENT)

    assert sshsig.write(sshsig.read(data)) == data


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-256", "ecdsa-521", *SECURITY_KEYS])
def test_no_flipped_bit_is_accepted(kind: str) -> None:
    """Every single bit of a signature file counts, those of line ends and of base64's padding too."""
    data = person(kind).sign(CONTENT)

    accepted = [bit for bit in range(len(data) * 8) if is_accepted(flipped(data, bit))]

    assert accepted == []


def test_no_flipped_bit_of_a_certificate_is_accepted() -> None:
    """The certificate is inside: each of its bits is covered by its authority or by the one spelling."""
    subject = certified(person("ed25519"), person("ed25519", 2))
    data = subject.sign(CONTENT)

    def is_vouched(changed: bytes) -> bool:
        certificate = sshsig.read(changed).key.certificate
        return certificate is not None and algorithms.is_vouched_for(certificate)

    assert is_accepted(data)
    assert is_vouched(data)
    bits = (bit for bit in range(len(data) * 8))
    assert [bit for bit in bits if is_accepted(flipped(data, bit)) and is_vouched(flipped(data, bit))] == []


def test_no_flipped_bit_of_an_rsa_signature_is_accepted() -> None:
    """The same for RSA."""
    data = person("rsa-2048").sign(CONTENT)

    assert [bit for bit in range(len(data) * 8) if is_accepted(flipped(data, bit))] == []


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b"\n",
        lambda data: b"\n" + data,
        lambda data: data + data,
        lambda data: data[:-1],
        lambda data: data + b"junk",
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data.replace(END, b"\n" + END),
        lambda data: data.replace(b"SSH SIGNATURE", b"SSH2 SIGNATURE"),
        lambda data: BEGIN + data[len(BEGIN) : -len(END)].replace(b"\n", b"") + b"\n" + END,
        lambda data: data[:60] + b" " + data[60:],
        lambda data: data[: len(BEGIN)] + END,
        lambda _: b"",
        lambda data: data + b"x" * 20_000,
    ],
    ids=lambda change: str(change.__code__.co_firstlineno),
)
def test_the_armor_has_one_form(change: Callable[[bytes], bytes]) -> None:
    """Nothing before or after, no other line ends, no other length of lines."""
    assert not is_accepted(change(person("ed25519").sign(CONTENT)))


@pytest.mark.parametrize(("width", "is_good"), [(70, True), (76, True), (64, True), (69, False), (72, False)])
def test_lines_are_as_long_as_known_writers_have_them(width: int, is_good: bool) -> None:  # noqa: FBT001
    """ssh-keygen's 70, the specification's 76 and PEM's 64 characters."""
    data = person("ed25519").sign(CONTENT)
    text = data[len(BEGIN) : -len(END)].replace(b"\n", b"")
    lines = b"".join(text[start : start + width] + b"\n" for start in range(0, len(text), width))

    assert is_accepted(BEGIN + lines + END) == is_good


def armored(blob: bytes) -> bytes:
    text = base64.b64encode(blob)
    return BEGIN + b"".join(text[start : start + 70] + b"\n" for start in range(0, len(text), 70)) + END


def blob_of(kind: str, **changed: bytes) -> bytes:
    """The blob of a signature with single fields replaced; what is signed is what the fields then say."""
    subject = person(kind)
    fields = {
        "magic": b"SSHSIG" + uint32(1),
        "key": string(subject.public.wire),
        "namespace": string("xfer-bundle"),
        "reserved": string(b""),
        "hash": string("sha512"),
        "tail": b"",
    } | changed
    envelope = sshsig.read(subject.sign(CONTENT))
    fields.setdefault("signature", string(sshsig.write_signature(envelope.signature)))
    order = ("magic", "key", "namespace", "reserved", "hash", "signature", "tail")
    return b"".join(fields[name] for name in order)


def test_the_builder_of_the_next_test_makes_good_ones() -> None:
    """Without a change it is accepted."""
    assert is_accepted(armored(blob_of("ed25519")))


@pytest.mark.parametrize(
    "changed",
    [
        {"magic": b"SSHSIG" + uint32(2)},
        {"magic": b"SSHSIG" + uint32(0)},
        {"magic": b"SSHSIH" + uint32(1)},
        {"reserved": string(b"x")},
        {"hash": string("sha1")},
        {"hash": string("sha384")},
        {"hash": string("SHA512")},
        {"namespace": string(b"")},
        {"namespace": string("file")},
        {"namespace": string("xfer-bundle\0")},
        {"tail": b"\0"},
        {"key": string(person("ed25519", 2).public.wire)},
    ],
    ids=str,
)
def test_fields_are_exact(changed: dict[str, bytes]) -> None:
    """Version, reserved field, hash, namespace and end are what they have to be."""
    assert not is_accepted(armored(blob_of("ed25519", **changed)))


def altered(kind: str, change: Callable[[Signature], Signature], tail: bytes = b"") -> bytes:
    signature = sshsig.read(person(kind).sign(CONTENT)).signature
    return armored(blob_of(kind, signature=string(sshsig.write_signature(change(signature)) + tail)))


@pytest.mark.parametrize("kind", [*KINDS, *SECURITY_KEYS])
def test_nothing_follows_the_signature_itself(kind: str) -> None:
    """A byte behind the value is refused."""
    assert is_accepted(altered(kind, lambda signature: signature))
    assert not is_accepted(altered(kind, lambda signature: signature, b"\0"))


@pytest.mark.parametrize("algorithm", ["ssh-rsa", "rsa-sha2-256", "ssh-ed25519", "rsa-sha2-512-cert-v01@openssh.com"])
def test_an_rsa_signature_says_its_hash(algorithm: str) -> None:
    """SHA-1 is refused, and so is a name that is not that of what was done."""
    assert not is_accepted(altered("rsa-2048", lambda each: msgspec.structs.replace(each, algorithm=algorithm)))


@pytest.mark.parametrize("change", [lambda value: b"\0" + value, lambda value: value[1:], lambda value: value + b"\0"])
def test_an_rsa_signature_is_as_long_as_its_key(change: Callable[[bytes], bytes]) -> None:
    """No padding, no cut."""
    signature = altered("rsa-2048", lambda each: msgspec.structs.replace(each, value=change(each.value)))

    assert not is_accepted(signature)


def padded(value: bytes) -> bytes:
    """The same numbers of an ECDSA signature, with a needless zero before the first."""
    length = int.from_bytes(value[:4])
    return uint32(length + 1) + b"\0" + value[4:]


@pytest.mark.parametrize("kind", ["ecdsa-256", "ecdsa-384", "ecdsa-521", "sk-ecdsa"])
def test_numbers_of_ecdsa_have_one_spelling(kind: str) -> None:
    """Needless zeros are refused, which OpenSSH reads."""
    assert not is_accepted(altered(kind, lambda each: msgspec.structs.replace(each, value=padded(each.value))))


@pytest.mark.parametrize("kind", SECURITY_KEYS)
def test_what_a_security_key_saw_is_signed(kind: str) -> None:
    """Flags and counter cannot be changed afterwards."""
    assert not is_accepted(altered(kind, lambda each: msgspec.structs.replace(each, flags=5)))
    assert not is_accepted(altered(kind, lambda each: msgspec.structs.replace(each, counter=8)))


def test_a_key_that_is_no_point_fits_nothing() -> None:
    """A point beside its curve is no error, but no signature either."""
    subject = person("ecdsa-256").public
    beside = bytes((4,)) + b"\1" * 64
    key = msgspec.structs.replace(subject, fields=(b"nistp256", beside))

    assert not algorithms.fits(key, Signature(key.type, sshsig.two_numbers(1, 1)), b"")
