"""bundle.trust.signing: signatures beside files, made in process, and never any that would not be accepted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import BinaryIO

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bundle.errors import BundleError, OutputError, UsageError
from bundle.trust import digests, signing, verify
from bundle.trust.allowed_signers import parse
from bundle.trust.policy import Policy
from bundle.trust.signing import Signer, in_process, namespace_of, sign_file
from bundle.trust.statements import APPROVAL, RESULT
from bundle.trust.verify import Namespace
from support.signers import CONTENT, KINDS, Person, certified, person


def no_passphrase(name: str) -> str:
    raise AssertionError(f"asked for the passphrase of {name}")


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A file to sign."""
    path = tmp_path / "env.pxb"
    path.write_bytes(CONTENT)
    return path


def sign(path: Path, signer: Signer, *, force: bool = False, name: str = "") -> Path:
    return sign_file(path, signer, namespace=Namespace.BUNDLE, force=force, name=name)


def is_signed_by(path: Path, subject: Person) -> bool:
    policy = Policy(entries=parse(f"alice {subject.line}", "signers"), at=1)
    files = verify.signature_files(path)
    found = verify.verify(path.name, digests.of_file(path), files, namespace=Namespace.BUNDLE, policy=policy)
    return found is not None and found.is_enough


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("passphrase", ["", "a long way"])
def test_a_private_key_signs(bundle: Path, kind: str, passphrase: str) -> None:
    """With its passphrase, if it has one; the file itself is not changed."""
    key = person(kind).write(bundle.parent / "id", passphrase)
    signer = in_process(key, agent_socket=None, ask=(lambda _: passphrase) if passphrase else no_passphrase)

    assert sign(bundle, signer) == Path(f"{bundle}.sig")
    assert bundle.read_bytes() == CONTENT
    assert is_signed_by(bundle, person(kind))


def test_a_signature_is_private_until_it_is_given_away(bundle: Path) -> None:
    """It has the mode of everything that xfer writes."""
    sign(bundle, in_process(person("ed25519").write(bundle.parent / "id"), agent_socket=None, ask=no_passphrase))

    assert Path(f"{bundle}.sig").stat().st_mode & 0o777 == 0o600


def test_a_key_in_pem_signs(bundle: Path) -> None:
    """The older form of private keys."""
    private = ec.generate_private_key(ec.SECP256R1())
    key = bundle.parent / "id"
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key.write_bytes(private.private_bytes(*form, serialization.NoEncryption()))

    assert sign(bundle, in_process(key, agent_socket=None, ask=no_passphrase)).exists()


def test_a_signature_is_replaced_only_by_force(bundle: Path) -> None:
    """What was there stays as it was."""
    signer = in_process(person("ed25519").write(bundle.parent / "id"), agent_socket=None, ask=no_passphrase)
    other = in_process(person("ed25519", 2).write(bundle.parent / "other"), agent_socket=None, ask=no_passphrase)
    sign(bundle, signer)

    with pytest.raises(OutputError, match="already exists"):
        sign(bundle, other)

    assert is_signed_by(bundle, person("ed25519"))
    sign(bundle, other, force=True)
    assert is_signed_by(bundle, person("ed25519", 2))


def test_a_further_signer_has_a_file_of_their_own(bundle: Path) -> None:
    """Both count."""
    for number, name in ((1, ""), (2, "bob")):
        key = person("ed25519", number).write(bundle.parent / f"id{number}")
        sign(bundle, in_process(key, agent_socket=None, ask=no_passphrase), name=name)

    assert [path.name for path in verify.signature_files(bundle)] == ["env.pxb.sig", "env.pxb.bob.sig"]


@pytest.mark.parametrize("name", ["../x", "a.b", "age", "parts", "a b", "ä"])
def test_a_further_signer_has_a_plain_name(bundle: Path, name: str) -> None:
    """It becomes part of a file's name, and must not be that of another file."""
    with pytest.raises(UsageError, match="file's name"):
        sign(bundle, lambda *_: pytest.fail("signed"), name=name)


def test_a_public_key_means_the_private_one_beside_it(bundle: Path) -> None:
    """Where there is no agent; with its certificate the certificate is in the signature."""
    subject = certified(person("ed25519"), person("ed25519", 2))
    key = subject.write(bundle.parent / "id")
    sign(bundle, in_process(Path(f"{key}.pub"), agent_socket=None, ask=no_passphrase))
    assert is_signed_by(bundle, person("ed25519"))

    sign(bundle, in_process(Path(f"{key}-cert.pub"), agent_socket=None, ask=no_passphrase), force=True)

    policy = Policy(entries=parse(f"* cert-authority {person('ed25519', 2).line}", "signers"), at=1)
    found = verify.verify(
        "env.pxb",
        digests.of_file(bundle),
        verify.signature_files(bundle),
        namespace=Namespace.BUNDLE,
        policy=policy,
    )
    assert found is not None
    assert found.signers[0].principals == ("alice@example.com",)


def weak_key(path: Path) -> None:
    private = rsa.generate_private_key(65537, 1024)
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(private.private_bytes(*form, serialization.NoEncryption()))


def unknown_curve(path: Path) -> None:
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(ec.generate_private_key(ec.SECP256K1()).private_bytes(*form, serialization.NoEncryption()))


def public_alone(path: Path) -> None:
    path.write_text(person("ed25519").line)


def mismatched(path: Path) -> None:
    path.write_text(person("ed25519").line)
    person("ed25519", 2).write(path.with_suffix("")).with_suffix(".pub").write_text(person("ed25519").line)


@pytest.mark.parametrize(
    ("name", "write", "why"),
    [
        ("id", lambda _: None, "cannot be read"),
        ("id", lambda path: path.write_text("nonsense"), "not a private key"),
        ("id", lambda path: path.write_bytes(b"x" * 70_000), "too long"),
        ("id", lambda path: person("ed25519").write(path, "secret"), "not with this passphrase"),
        ("id", weak_key, "1024 bits"),
        ("id", unknown_curve, "SSH does not know"),
        ("id.pub", lambda path: path.write_text("nonsense"), "not a public key"),
        ("id.pub", lambda path: path.write_bytes(b"\xff\xff x"), "not a public key"),
        ("id.pub", public_alone, "nor beside it"),
        ("id.pub", mismatched, "not the private half"),
    ],
)
def test_a_key_that_cannot_be_used_is_misuse(tmp_path: Path, name: str, write: object, why: str) -> None:
    """Exit code 64, with the reason, and without anything of the key."""
    write(tmp_path / name)  # type: ignore[operator]

    with pytest.raises(UsageError, match=why):
        in_process(tmp_path / name, agent_socket=None, ask=lambda _: "wrong")


@pytest.mark.parametrize(
    "made",
    [
        lambda _: (b"junk", b"\0" * 64),
        lambda _: (person("ed25519").sign(b"other"), b"\0" * 64),
        lambda file: (person("ed25519").sign(file.read(), "file"), b"\0" * 64),
    ],
)
def test_what_a_signer_makes_is_checked(bundle: Path, made: object) -> None:
    """A signature that we would refuse is an error, and no file."""

    def signer(file: BinaryIO, namespace: str) -> tuple[bytes, bytes]:
        assert namespace == "xfer-bundle"
        return made(file)  # type: ignore[operator, no-any-return]

    with pytest.raises(BundleError, match="the signature"):
        sign(bundle, signer)

    assert verify.signature_files(bundle) == ()


@pytest.mark.parametrize(
    ("content", "namespace"),
    [
        (b"\x28\xb5\x2f\xfd....", Namespace.BUNDLE),
        (b"age-encryption.org/v1\n-> X25519", Namespace.SECRETS),
        (b'{"xfer_plan":"1.0","steps":[]}', Namespace.PLAN),
        (b' \n{"steps":[],\n "xfer_plan": "1.0"}', Namespace.PLAN),
        (f'{{"predicateType":"{APPROVAL}"}}'.encode(), Namespace.APPROVAL),
        (f'{{"predicateType":"{RESULT}"}}'.encode(), Namespace.RESULT),
    ],
)
def test_a_file_is_signed_as_what_it_is(tmp_path: Path, content: bytes, namespace: Namespace) -> None:
    """Its content says it, not its name."""
    path = tmp_path / "file"
    path.write_bytes(content)

    assert namespace_of(path) == namespace


@pytest.mark.parametrize("content", [b"", b"{}", b"{", b"[]", b'{"predicateType":"x"}', b"hello", b'{"xfer_plan":5}'])
def test_other_files_are_not_signed(tmp_path: Path, content: bytes) -> None:
    """There is no namespace for them."""
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(UsageError, match="not a bundle"):
        namespace_of(path)


def test_without_the_extra_the_error_names_it() -> None:
    """Importing is what needs it; what only reads needs nothing."""
    program = (
        "import sys; sys.modules['cryptography'] = sys.modules['pyrage'] = None\n"
        "import bundle.trust.verify, bundle.trust.statements, bundle.trust.parts, bundle.trust.allowed_signers\n"
        "from bundle.errors import UsageError\n"
        "for name in ('signing', 'sealing', 'algorithms'):\n"
        "    try: __import__(f'bundle.trust.{name}')\n"
        "    except UsageError as error: print(error.hint)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(signing.__file__).parents[2])}

    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)

    assert done.stdout == 'install the extra: pip install "xfer[airgap]"\n' * 3
