"""bundle.trust.keys: public keys and certificates in binary form, and which of them are too weak."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from bundle.trust import keys
from bundle.trust.wire import MalformedError, mpint, string
from support.signers import KINDS, SECURITY_KEYS, Person, certified, line_of, person

PRIME = 2**255 - 19


@pytest.mark.parametrize("kind", [*KINDS, *SECURITY_KEYS])
def test_a_key_is_what_its_bytes_say(kind: str) -> None:
    """Every kind of key is read back from its line, and its blob is the binary form."""
    public = person(kind).public

    assert keys.read_line(*line_of(public.blob).split()) == public


@pytest.mark.parametrize("kind", [*KINDS, *SECURITY_KEYS])
def test_a_certificate_is_about_the_same_key(kind: str) -> None:
    """With its certificate a key has the same blob and the same fingerprint."""
    plain, with_certificate = person(kind), certified(person(kind), person("ed25519", 9))

    assert with_certificate.public.blob == plain.public.blob
    assert with_certificate.public.fingerprint == plain.public.fingerprint
    assert with_certificate.public.certificate is not None
    assert with_certificate.public.certificate.principals == ("alice@example.com",)


def test_the_fingerprint_is_that_of_ssh_keygen() -> None:
    """As ``ssh-keygen -l`` prints it."""
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIJyx7bDilY9B2DLQfLXSWCHDWhuwO4FFKxjJDt8mk9d"

    key = keys.read_line(*line.split())

    assert key.fingerprint == "SHA256:wAMugwgD1/p04y40cFSblBmXRk8yIn5yDYsIn9/pYZs"


def encoded(height: int) -> bytes:
    return string(keys.ED25519) + string(height.to_bytes(32, "little"))


def small_points() -> list[tuple[int, int]]:
    """The eight points whose order divides eight, found by arithmetic on the curve of RFC 8032."""
    d = -121665 * pow(121666, -1, PRIME) % PRIME

    def add(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
        (x1, y1), (x2, y2) = one, other
        product = d * x1 * x2 * y1 * y2
        x = (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME)
        y = (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME)
        return x % PRIME, y % PRIME

    root = pow(2, (PRIME - 1) // 4, PRIME)
    height = keys._ORDER_EIGHT
    square = (height * height - 1) * pow(d * height * height + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    x = x if x * x % PRIME == square else x * root % PRIME
    points = [(x, height)]
    while len(points) < 8:
        points.append(add(points[-1], (x, height)))
    assert points[-1] == (0, 1)
    return points


def test_points_of_small_order_are_refused() -> None:
    """Under these eight keys one signature fits every file; in either sign and beyond the prime too."""
    points = small_points()
    heights = {y for _, y in points}

    assert len(set(points)) == 8
    for height in [*heights, *(y + PRIME for y in heights if y + PRIME < 2**255)]:
        for sign in (0, 2**255):
            with pytest.raises(MalformedError):
                keys.read(encoded(height + sign))


@pytest.mark.parametrize("height", [PRIME, PRIME + 2, 2**255 - 1])
def test_points_have_one_spelling(height: int) -> None:
    """A height is below the prime."""
    with pytest.raises(MalformedError, match="not a point"):
        keys.read(encoded(height))


def rsa_blob(exponent: int, modulus: int) -> bytes:
    return string(keys.RSA) + mpint(exponent) + mpint(modulus)


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (rsa_blob(65537, 2**2047 - 1), "2047 bits"),
        (rsa_blob(65537, 2**16384 + 1), "16385 bits"),
        (rsa_blob(1, 2**2048 - 1), "exponent"),
        (rsa_blob(4, 2**2048 - 1), "exponent"),
        (string("ssh-dss") + mpint(7) * 4, "ssh-dss"),
        (string("ssh-ed448") + string(b"x" * 57), "ssh-ed448"),
        (string("ecdsa-sha2-nistp256") + string("nistp384") + string(b"\x04" + b"x" * 96), "nistp256"),
        (string("ecdsa-sha2-nistp256") + string("nistp256") + string(b"\x02" + b"x" * 32), "nistp256"),
        (person("ed25519").public.blob + b"\0", "behind its end"),
        (person("ed25519").public.blob[:-1], "too early"),
    ],
)
def test_weak_and_foreign_keys_are_refused(blob: bytes, why: str) -> None:
    """RSA outside of 2048 to 16384 bits, DSA, compressed points, and what is not exactly one key."""
    with pytest.raises(MalformedError, match=why):
        keys.read(blob)


def test_a_short_rsa_key_is_refused() -> None:
    """A real key of 1024 bits."""
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()

    with pytest.raises(MalformedError, match="1024 bits"):
        keys.read(rsa_blob(numbers.e, numbers.n))


def test_a_line_says_the_type_of_its_key() -> None:
    """The type is there twice, and both agree."""
    _, encoded_ = person("ed25519").line.split()

    with pytest.raises(MalformedError, match="another type"):
        keys.read_line("ssh-rsa", encoded_)


@pytest.mark.parametrize("change", [lambda text: text + "=", lambda text: text[:-1], lambda text: " " + text])
def test_a_line_has_one_spelling(change: object) -> None:
    """Base64 is as it is written."""
    type_, encoded_ = person("ed25519").line.split()

    with pytest.raises(MalformedError):
        keys.read_line(type_, change(encoded_))  # type: ignore[operator]


def spoiled(subject: Person, old: bytes, new: bytes) -> bytes:
    blob = subject.public.wire
    assert old in blob
    return blob.replace(old, new, 1)


def test_an_authority_is_no_certificate() -> None:
    """Certificates do not make chains."""
    authority = certified(person("ed25519", 2), person("ed25519", 3))
    subject = certified(person("ed25519"), person("ed25519", 2))
    chained = spoiled(subject, string(person("ed25519", 2).public.blob), string(authority.public.wire))

    with pytest.raises(MalformedError, match="itself a certificate"):
        keys.read(chained)


def test_options_of_a_certificate_are_in_order() -> None:
    """Each once and sorted, as PROTOCOL.certkeys wants them."""
    with pytest.raises(MalformedError, match="in order"):
        certified(person("ed25519"), person("ed25519", 2), critical=("b", "a"))


def test_an_empty_principal_is_refused() -> None:
    """It would be matched by ``*``."""
    with pytest.raises(MalformedError, match="empty"):
        certified(person("ed25519"), person("ed25519", 2), principals=("",))


@pytest.mark.parametrize(
    ("kind", "type_"),
    [
        ("ed25519", "ssh-ed25519-cert-v01@openssh.com"),
        ("ecdsa-384", "ecdsa-sha2-nistp384-cert-v01@openssh.com"),
        ("sk-ed25519", "sk-ssh-ed25519-cert-v01@openssh.com"),
        ("sk-ecdsa", "sk-ecdsa-sha2-nistp256-cert-v01@openssh.com"),
    ],
)
def test_a_certificate_has_its_own_type(kind: str, type_: str) -> None:
    """Its binary form begins with it; ``@openssh.com`` is there once."""
    assert certified(person(kind), person("ed25519", 2)).public.wire.startswith(string(type_))
