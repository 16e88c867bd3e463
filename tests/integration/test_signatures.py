"""Signatures and sealed files among programs: xfer, OpenSSH, asyncssh and age make and check each other's.

Where another verifier is laxer, that is said here: what it accepts and xfer refuses.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from asyncssh.sshsig import create_sshsig, import_allowed_signers, validate_sshsig
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bundle.errors import BundleError, UsageError
from bundle.trust import digests, revoked, sealing, signing, sshsig, verify
from bundle.trust.allowed_signers import parse
from bundle.trust.policy import Policy
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.signing import Signer, sign_file
from bundle.trust.verify import Namespace, signature_files
from support.openssh import KEYGEN, agent, needs_openssh, principals_of, run, verifies
from support.signers import CONTENT, KINDS, SECURITY_KEYS, Person, certified, line_of, person, signed_file

pytestmark = needs_openssh
AGE = shutil.which("age")
needs_age = pytest.mark.skipif(AGE is None, reason="LEFT OUT: age is not installed, nobody else opened what we seal")
ALICE = "alice@example.com"
AUTHORITY = person("ed25519", 9)
FLAVOURS = ("key", "certificate")


def subject_of(kind: str, flavour: str) -> tuple[Person, str]:
    """A person, and a line that trusts them."""
    if flavour == "key":
        return person(kind), f"{ALICE} {person(kind).line}\n"
    return certified(person(kind), AUTHORITY), f"*@example.com cert-authority {AUTHORITY.line}\n"


def xfer_accepts(signature: bytes, content: bytes, allowed: str, directory: Path, at: int | None = None) -> bool:
    """Whether xfer accepts a signature file, at a time or now."""
    return judged(signature, content, allowed, directory, at) is None


def judged(signature: bytes, content: bytes, allowed: str, directory: Path, at: int | None = None) -> Reason | None:
    """The reason for which xfer refuses it; None if it does not."""
    path = directory / "judged.pxb"
    path.write_bytes(content)
    Path(f"{path}.sig").write_bytes(signature)
    policy = Policy(entries=parse(allowed, "signers"), at=int(time.time()) if at is None else at, signer=ALICE)
    files = signature_files(path)
    try:
        verify.verify(path.name, digests.of_file(path), files, namespace=Namespace.BUNDLE, policy=policy)
    except Distrusted as error:
        return error.reason
    return None


def asyncssh_accepts(signature: bytes, content: bytes, allowed: str) -> bool:
    """Whether asyncssh accepts it."""
    try:
        return bool(validate_sshsig(content, signature, ALICE, import_allowed_signers(allowed)))
    except ValueError:
        return False


def refuse_to_say(name: str) -> str:
    raise AssertionError(f"asked for the passphrase of {name}")


def by_xfer(key: Path, content: bytes, directory: Path) -> bytes:
    return made_by(signing.in_process(key, agent_socket=None, ask=refuse_to_say), content, directory)


def by_ssh_keygen(key: Path, content: bytes, directory: Path) -> bytes:
    assert KEYGEN is not None
    return made_by(signing.by_ssh_keygen(KEYGEN, key), content, directory)


def by_hand(key: Path, content: bytes, directory: Path) -> bytes:
    del directory
    return run("-Y", "sign", "-n", "xfer-bundle", "-f", key, content=content).stdout


def by_asyncssh(key: Path, content: bytes, directory: Path) -> bytes:
    del directory
    private: Any = str(key).removesuffix("-cert.pub")
    with_certificate = (private, str(key)) if key.name.endswith("-cert.pub") else private
    return create_sshsig(with_certificate, content, namespace="xfer-bundle")


SIGNERS = {"xfer": by_xfer, "xfer by ssh-keygen": by_ssh_keygen, "ssh-keygen": by_hand, "asyncssh": by_asyncssh}


def made_by(signer: Signer, content: bytes, directory: Path) -> bytes:
    path = directory / "made.pxb"
    path.write_bytes(content)
    return sign_file(path, signer, namespace=Namespace.BUNDLE, force=True).read_bytes()


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("signer", SIGNERS)
def test_all_signers_and_all_verifiers_agree(tmp_path: Path, signer: str, kind: str, flavour: str) -> None:
    """What any of them signs all of them accept; over another content, or by another, none of them does."""
    subject, allowed = subject_of(kind, flavour)
    key = subject.write(tmp_path / "id")
    signature = SIGNERS[signer](Path(f"{key}-cert.pub") if flavour == "certificate" else key, CONTENT, tmp_path)
    stranger = f"{ALICE} {person('ed25519', 5).line}\n"

    def verdicts(content: bytes, allowed: str) -> set[bool]:
        return {
            xfer_accepts(signature, content, allowed, tmp_path),
            verifies(signature, content, allowed, tmp_path),
            asyncssh_accepts(signature, content, allowed),
        }

    assert verdicts(CONTENT, allowed) == {True}
    assert verdicts(CONTENT + b"x", allowed) == {False}
    assert verdicts(CONTENT, stranger) == {False}


@pytest.mark.parametrize("kind", SECURITY_KEYS)
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_signatures_of_security_keys_are_those_of_openssh(tmp_path: Path, kind: str, flavour: str) -> None:
    """Made by a security key in software, as PROTOCOL.u2f has it: xfer and ssh-keygen accept it."""
    subject, allowed = subject_of(kind, flavour)
    signature = subject.sign(CONTENT)

    assert xfer_accepts(signature, CONTENT, allowed, tmp_path)
    assert verifies(signature, CONTENT, allowed, tmp_path)
    assert not xfer_accepts(signature, CONTENT + b"x", allowed, tmp_path)
    assert not verifies(signature, CONTENT + b"x", allowed, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_sha_256_is_accepted_by_all(tmp_path: Path, kind: str) -> None:
    """The other hash of a signature file."""
    key = person(kind).write(tmp_path / "id")
    by_hand_ = run("-Y", "sign", "-n", "xfer-bundle", "-O", "hashalg=sha256", "-f", key, content=CONTENT).stdout

    for signature in (by_hand_, person(kind).sign(CONTENT, hash_="sha256")):
        assert sshsig.read(signature).hash == "sha256"
        assert xfer_accepts(signature, CONTENT, f"{ALICE} {person(kind).line}\n", tmp_path)
        assert verifies(signature, CONTENT, f"{ALICE} {person(kind).line}\n", tmp_path)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa-384", "rsa-2048"])
@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize("way", ["in process", "ssh-keygen"])
def test_the_agent_signs(tmp_path: Path, kind: str, flavour: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ``.pub`` whose private half is nowhere but in the agent, with and without a certificate."""
    subject, allowed = subject_of(kind, flavour)
    key = subject.write(tmp_path / "id")
    public = Path(f"{key}-cert.pub" if flavour == "certificate" else f"{key}.pub")
    with agent(tmp_path, key) as socket:
        key.unlink()
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        assert KEYGEN is not None
        signer = (
            signing.by_ssh_keygen(KEYGEN, public)
            if way == "ssh-keygen"
            else signing.in_process(public, agent_socket=socket, ask=refuse_to_say)
        )
        signature = made_by(signer, CONTENT, tmp_path)

    assert xfer_accepts(signature, CONTENT, allowed, tmp_path)
    assert verifies(signature, CONTENT, allowed, tmp_path)


def test_a_key_that_the_agent_lacks_is_taken_from_beside(tmp_path: Path) -> None:
    """And an agent that is gone is an error that says so."""
    key = person("ed25519").write(tmp_path / "id")
    other = person("ed25519", 2).write(tmp_path / "other")
    with agent(tmp_path, other) as socket:
        signer = signing.in_process(Path(f"{key}.pub"), agent_socket=socket, ask=refuse_to_say)
    assert xfer_accepts(made_by(signer, CONTENT, tmp_path), CONTENT, f"{ALICE} {person('ed25519').line}\n", tmp_path)

    with pytest.raises(BundleError, match="SSH agent did not sign"):
        signing.in_process(Path(f"{key}.pub"), agent_socket=socket, ask=refuse_to_say)


def test_an_agent_that_refuses_is_an_error(tmp_path: Path) -> None:
    """A locked agent has no keys any more."""
    key = person("ed25519").write(tmp_path / "id")
    with agent(tmp_path, key) as socket:
        signer = signing.in_process(Path(f"{key}.pub"), agent_socket=socket, ask=refuse_to_say)
        subprocess.run(["ssh-add", "-q", "-D"], env={**os.environ, "SSH_AUTH_SOCK": socket}, check=True)
        with pytest.raises(BundleError, match="refused"):
            made_by(signer, CONTENT, tmp_path)


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (lambda _: None, "No such file"),
        (lambda key: key.write_text("nonsense"), "did not sign"),
        (lambda key: person("ed25519").write(key, "secret"), "did not sign"),
    ],
)
def test_what_ssh_keygen_says_is_passed_on(tmp_path: Path, prepare: Any, said: str, monkeypatch: Any) -> None:
    """Where it fails, with exit code 1, and without a signature file."""
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")
    monkeypatch.setenv("SSH_ASKPASS", "/bin/false")
    prepare(tmp_path / "id")

    with pytest.raises(BundleError, match=said) as caught:
        by_ssh_keygen(tmp_path / "id", CONTENT * 100_000, tmp_path)

    assert caught.value.exit_code == 1
    assert signature_files(tmp_path / "made.pxb") == ()


def test_a_missing_ssh_keygen_is_an_error(tmp_path: Path) -> None:
    """With what to install."""
    with pytest.raises(BundleError, match="cannot be started"):
        made_by(signing.by_ssh_keygen(str(tmp_path / "none"), tmp_path / "id"), CONTENT, tmp_path)


def test_a_passphrase_is_asked_for_by_ssh_keygen_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the program that SSH_ASKPASS names, where there is no terminal."""
    key = person("ed25519").write(tmp_path / "id", "a long way")
    ask = tmp_path / "ask"
    ask.write_text("#!/bin/sh\necho a long way\n")
    ask.chmod(0o700)
    monkeypatch.setenv("SSH_ASKPASS", str(ask))
    monkeypatch.setenv("SSH_ASKPASS_REQUIRE", "force")

    signature = by_ssh_keygen(key, CONTENT, tmp_path)

    assert xfer_accepts(signature, CONTENT, f"{ALICE} {person('ed25519').line}\n", tmp_path)


def padded(signature: bytes) -> bytes:
    """The same signature of ECDSA with a needless zero before its first number."""
    envelope = sshsig.read(signature)
    value = envelope.signature.value
    longer = (int.from_bytes(value[:4]) + 1).to_bytes(4) + b"\0" + value[4:]
    return sshsig.write(
        msgspec.structs.replace(envelope, signature=msgspec.structs.replace(envelope.signature, value=longer))
    )


def trusting(kind: str) -> str:
    return f"{ALICE} {person(kind).line}\n"


CERTIFICATE = certified(person("ed25519"), AUTHORITY)
BY_AUTHORITY = f"*@example.com cert-authority {AUTHORITY.line}\n"
GOOD = person("ed25519").sign(CONTENT)
LAXER = {
    "text behind the end": (GOOD + b"junk\n", trusting("ed25519"), Reason.SIGNATURE_MALFORMED),
    "a second signature behind the end": (GOOD + GOOD, trusting("ed25519"), Reason.SIGNATURE_MALFORMED),
    "spaces in the base64": (
        GOOD[:60] + b" " + GOOD[60:], trusting("ed25519"), Reason.SIGNATURE_MALFORMED),
    "no line ends in the base64": (
        GOOD[:30] + GOOD[30:-28].replace(b"\n", b"") + b"\n" + GOOD[-28:], trusting("ed25519"),
        Reason.SIGNATURE_MALFORMED),
    "needless zeros in ECDSA": (
        padded(person("ecdsa-256").sign(CONTENT)), trusting("ecdsa-256"), Reason.SIGNATURE_MALFORMED),
    "a security key that nobody touched": (
        person("sk-ed25519").sign(CONTENT, flags=0), trusting("sk-ed25519"), Reason.NOT_TOUCHED),
    "a certificate that is only for one command": (
        certified(person("ed25519"), AUTHORITY, critical=("force-command",)).sign(CONTENT), BY_AUTHORITY,
        Reason.CERTIFICATE_REFUSED),
    "a certificate with an option that nobody knows": (
        certified(person("ed25519"), AUTHORITY, critical=("new@example.com",)).sign(CONTENT), BY_AUTHORITY,
        Reason.CERTIFICATE_REFUSED),
}  # fmt: skip
"""What ``ssh-keygen -Y verify`` accepts and xfer refuses, and why."""


@pytest.mark.parametrize("case", LAXER)
def test_where_ssh_keygen_is_laxer(tmp_path: Path, case: str) -> None:
    """It accepts what xfer refuses, by its reason."""
    signature, allowed, reason = LAXER[case]

    assert verifies(signature, CONTENT, allowed, tmp_path)
    assert judged(signature, CONTENT, allowed, tmp_path) == reason


LAXER_FILES = {
    "an unreadable line": f"nonsense\n{trusting('ed25519')}",
    "an unknown option in another line": f"bob new-option {AUTHORITY.line}\n{trusting('ed25519')}",
    "options that begin with a comma": f'{ALICE} ,namespaces="xfer-*" {person("ed25519").line}\n',
    "an empty pattern": f"bob,,{ALICE} {person('ed25519').line}\n",
}
"""Files of allowed signers that ssh-keygen reads and xfer refuses as a whole."""


@pytest.mark.parametrize("case", LAXER_FILES)
def test_where_ssh_keygen_reads_more(tmp_path: Path, case: str) -> None:
    """Mistakes in the file of allowed signers are passed over there, and refused here."""
    assert verifies(GOOD, CONTENT, LAXER_FILES[case], tmp_path)
    with pytest.raises(UsageError):
        parse(LAXER_FILES[case], "signers")


def test_a_certificate_as_trusted_key_never_expires_for_ssh_keygen(tmp_path: Path) -> None:
    """Listed itself, without its authority, its own times are not looked at; xfer refuses such a line."""
    expired = certified(person("ed25519"), AUTHORITY, valid_before=1)
    allowed = f"{ALICE} {line_of(expired.public.wire)}\n"

    assert verifies(expired.sign(CONTENT), CONTENT, allowed, tmp_path)
    with pytest.raises(UsageError, match="certificate"):
        parse(allowed, "signers")


def test_where_asyncssh_is_laxer(tmp_path: Path) -> None:
    """It takes no namespace, passes over options that it does not know, and reads padding bits."""
    as_plan = person("ed25519").sign(CONTENT, "xfer-plan")
    unknown = f"{ALICE} new-option {person('ed25519').line}\n"

    assert asyncssh_accepts(as_plan, CONTENT, trusting("ed25519"))
    assert judged(as_plan, CONTENT, trusting("ed25519"), tmp_path) == Reason.NAMESPACE_WRONG
    assert asyncssh_accepts(GOOD, CONTENT, unknown)
    with pytest.raises(UsageError, match="new-option"):
        parse(unknown, "signers")
    flips = [flipped(GOOD, bit) for bit in range(len(GOOD) * 8)]
    assert sum(asyncssh_accepts(each, CONTENT, trusting("ed25519")) for each in flips) > 0
    assert sum(xfer_accepts(each, CONTENT, trusting("ed25519"), tmp_path) for each in flips) == 0


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("gone", [person("ed25519"), AUTHORITY])
def test_revoked_keys_are_revoked_for_both(tmp_path: Path, gone: Person) -> None:
    """One list of plain keys for xfer and ssh-keygen; that list as KRL is refused, not passed over."""
    listed, krl = tmp_path / "revoked", tmp_path / "krl"
    listed.write_text(f"# gone\n{gone.line} comment\n")
    path = signed_file(tmp_path / "env.pxb", CERTIFICATE)
    policy = Policy(entries=parse(BY_AUTHORITY, "signers"), at=1_800_000_000, revoked=revoked.load(listed))

    with pytest.raises(Distrusted) as caught:
        verify.verify("x", digests.of_file(path), signature_files(path), namespace=Namespace.BUNDLE, policy=policy)

    assert caught.value.reason == Reason.SIGNER_REVOKED
    signature = CERTIFICATE.sign(CONTENT)
    assert verifies(signature, CONTENT, BY_AUTHORITY, tmp_path)
    assert not verifies(signature, CONTENT, BY_AUTHORITY, tmp_path, revoked=str(listed))
    assert run("-k", "-f", krl, listed).returncode == 0
    with pytest.raises(UsageError, match="KRL"):
        revoked.load(krl)


WORD = st.sampled_from([ALICE, "*@example.com", "alice@*", "?lice@example.com", "*", "bob", "*.com", "a*e@e*e.c?m"])
LIST = st.lists(st.builds(str.__add__, st.sampled_from(["", "", "!"]), WORD), min_size=1, max_size=3).map(",".join)
SPACES = st.lists(
    st.sampled_from(["xfer-bundle", "xfer-*", "file", "!xfer-bundle", "!file", "*"]), min_size=1, max_size=3
)
DATES = ["20200101Z", "202601010000Z", "20261125120000Z", "20300101Z", "20300101", "202001011200utc"]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "cert-authority": st.none(),
        "namespaces": SPACES.map(",".join),
        "valid-after": st.sampled_from(DATES),
        "valid-before": st.sampled_from(DATES),
        "Valid-Before": st.sampled_from(DATES),
    },
)


def written(patterns: str, options: dict[str, str | None], line: str) -> str:
    texts = [name if value is None else f'{name}="{value}"' for name, value in options.items()]
    return " ".join(filter(None, (patterns, ",".join(texts), line)))


LINES = st.lists(
    st.builds(written, LIST, OPTIONS, st.sampled_from([person("ed25519").line, AUTHORITY.line])), min_size=1, max_size=3
)
TIMES = {"20191231Z": 1_577_750_400, "20261125120000Z": 1_795_608_000, "20310101Z": 1_924_992_000}
GENERATED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@GENERATED
@given(LINES, st.sampled_from(sorted(TIMES)), st.sampled_from([person("ed25519"), CERTIFICATE]))
def test_files_of_allowed_signers_mean_the_same(tmp_path: Path, lines: list[str], at: str, subject: Person) -> None:
    """Any file that xfer reads allows the same signature at the same time for ``ssh-keygen -Y verify``."""
    allowed = "\n".join(lines) + "\n"
    signature = subject.sign(CONTENT)
    theirs = verifies(signature, CONTENT, allowed, tmp_path, time=at)
    try:
        ours = xfer_accepts(signature, CONTENT, allowed, tmp_path, TIMES[at])
    except UsageError:
        return  # stricter: the file as a whole
    assert ours == theirs


@GENERATED
@given(LINES, st.sampled_from(sorted(TIMES)))
def test_principals_found_are_the_same(tmp_path: Path, lines: list[str], at: str) -> None:
    """``find-principals`` answers with the principals of the first line that allows the key, if xfer finds one."""
    allowed = "\n".join(lines) + "\n"
    try:
        entries = parse(allowed, "signers")
    except UsageError:
        return
    key = person("ed25519").public
    lists = [
        entry.principals
        for entry in entries
        if not entry.is_authority
        and entry.key.blob == key.blob
        and (entry.valid_after or 0) <= TIMES[at] <= (entry.valid_before or 2**63)
    ]

    assert principals_of(GOOD, allowed, tmp_path, at) == (lists[0].replace(",", "\n") if lists else None)


def test_reading_of_dates_is_that_of_ssh_keygen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a zone with summer time too: the second before is refused and the second itself accepted, by both."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for text in ("20260715", "202607151200", "20260115120000", "20260329023000Z", "202603290230", "202610250230"):
            allowed = f'{ALICE} valid-after="{text}" {person("ed25519").line}\n'
            after = parse(allowed, "signers")[0].valid_after
            assert after is not None
            for moment, is_good in ((after, True), (after - 1, False)):
                stamp = time.strftime("%Y%m%d%H%M%SZ", time.gmtime(moment))
                assert xfer_accepts(GOOD, CONTENT, allowed, tmp_path, moment) == is_good
                assert verifies(GOOD, CONTENT, allowed, tmp_path, time=stamp) == is_good, text
    finally:
        monkeypatch.undo()
        time.tzset()


DIGEST = "ab" * 32
SLOTS = {"block:secret/db#/data/value": "hunter2"}


@needs_age
@pytest.mark.parametrize("kind", ["age", "ed25519", "rsa-2048"])
def test_stock_age_opens_what_is_sealed(tmp_path: Path, kind: str) -> None:
    """With the same identity, and the other way round."""
    assert AGE is not None
    identity, recipient = age_keys(tmp_path, kind)
    sealed, sealed_by_age = tmp_path / "ours.age", tmp_path / "theirs.age"
    sealed.write_bytes(sealing.seal(SLOTS, DIGEST, sealing.recipients_of([recipient])))

    opened = subprocess.run([AGE, "-d", "-i", identity, sealed], capture_output=True, check=True).stdout

    assert opened == (
        b'{"content_digest":"' + DIGEST.encode() + b'","slots":{"block:secret/db#/data/value":"hunter2"},'
        b'"xfer_secrets":"1.0"}'
    )
    subprocess.run([AGE, "-r", recipient, "-o", sealed_by_age], input=opened, check=True)
    assert sealing.unseal_file(sealed_by_age, DIGEST, sealing.identities_of(identity, refuse_to_say)) == SLOTS


def age_keys(tmp_path: Path, kind: str) -> tuple[Path, str]:
    """The file of an identity, and its recipient."""
    if kind != "age":
        return person(kind).write(tmp_path / "id"), person(kind).line
    path = tmp_path / "key.txt"
    subprocess.run(["age-keygen", "-o", path], capture_output=True, check=True)
    (line,) = (line for line in path.read_text().splitlines() if line.startswith("# public key: "))
    return path, line.removeprefix("# public key: ")
