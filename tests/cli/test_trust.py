"""Signatures at the command line: making them, and what each command that reads a bundle does about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundle.cli import passphrases
from bundle.trust import signing as trust_signing
from support.openssh import needs_openssh, verifies
from support.signers import person

ALICE, BOB, MALLORY = (person("ed25519", number) for number in range(1, 4))
# Every command that reads a bundle, as it is called here.
READERS: dict[str, tuple[str, ...]] = {
    "verify": ("env.pxb",),
    "verify --to": ("env.pxb", "--to", "b"),
    "inspect": ("env.pxb",),
    "plan": ("env.pxb", "--to", "b"),
    "import": ("env.pxb", "--to", "b", "--receipt", "made.receipt"),
    "activate": ("env.pxb", "--to", "b", "--dry-run"),
    "secrets": ("template", "env.pxb"),
    "diff": ("env.pxb", "b"),
}
EVERY = pytest.mark.parametrize("name", READERS)
TRUSTING = ("--allowed-signers", "signers")


@pytest.fixture
def ready(shell: Any) -> Any:
    """A shell with a bundle that alice signed, her key and bob's, and a file that allows both."""
    ALICE.write(Path("alice"))
    BOB.write(Path("bob"))
    MALLORY.write(Path("mallory"))
    Path("signers").write_text(f"alice@example.com {ALICE.line}\nbob@example.com {BOB.line}\n")
    assert shell("export", "--from", "a", "-o", "env.pxb", "--sign", "alice").code == 0
    return shell


def call(shell: Any, name: str, *more: str) -> Any:
    return shell(name.split(maxsplit=1)[0], *READERS[name], *more, "--json")


def refused(ended: Any) -> str:
    """The reason of a refusal."""
    assert (ended.code, ended.document["error"]["code"]) == (4, "Distrusted")
    reason = ended.document["error"]["reason"]
    assert isinstance(reason, str)
    return reason


@EVERY
def test_a_signature_of_an_allowed_signer_is_reported(ready: Any, name: str) -> None:
    """The principal, the key and the file of allowed signers are in the report."""
    ended = call(ready, name, *TRUSTING)

    assert ended.code in {0, 2}
    found = ended.document["signatures"] if name != "diff" else None
    if found is not None:
        assert (found["state"], found["people"], found["allowed_signers"]) == ("verified", 1, "signers")
        assert found["signatures"][0]["principals"] == ["alice@example.com"]
        assert found["signatures"][0]["fingerprint"] == ALICE.public.fingerprint


@EVERY
def test_an_unsigned_bundle_is_refused_where_signers_are_known(ready: Any, name: str) -> None:
    """No request is sent for a bundle that nobody vouches for."""
    Path("env.pxb.sig").unlink()

    assert refused(call(ready, name, *TRUSTING)) == "signature-missing"
    assert ready.b.requests == []


@EVERY
def test_a_bundle_changed_after_it_was_signed_is_refused(ready: Any, name: str) -> None:
    """Another bundle under the same name, valid in itself, is refused; also by whoever asks for no check."""
    ready.a.add("added", "later")
    assert ready("export", "--from", "a", "-o", "env.pxb", "--force").code == 0

    for choice in (TRUSTING, ("--unverified",)):
        assert refused(call(ready, name, *choice)) == "signature-wrong"
    assert ready.b.requests == []


@EVERY
def test_a_signed_bundle_is_refused_where_no_signers_are_known(ready: Any, name: str) -> None:
    """Whoever signed wanted it checked; the hint names the option."""
    ended = call(ready, name)

    assert refused(ended) == "trust-file-missing"
    assert "--allowed-signers" in ended.document["error"]["hint"]


@EVERY
def test_unverified_is_told(ready: Any, name: str) -> None:
    """A report says that nobody's signature was asked for."""
    ended = call(ready, name, "--unverified")

    assert ended.code in {0, 2}
    if name != "diff":
        assert ended.document["signatures"]["state"] == "unverified"


@pytest.mark.parametrize("choice", [TRUSTING, ("--unverified",)])
def test_the_receipt_says_who_vouched(ready: Any, choice: tuple[str, ...]) -> None:
    """The first line of a receipt has the same as the report."""
    ended = call(ready, "import", *choice)

    head = json.loads(Path("made.receipt").read_text().splitlines()[0])
    assert head["signatures"] == ended.document["signatures"]
    assert head["signatures"]["sha256"] == head["signatures"]["sha256"].lower()


def test_the_text_says_who_signed(ready: Any) -> None:
    """A person reads the principal, and that nobody was asked."""
    assert "signed by:       alice@example.com (ssh-ed25519 SHA256:" in ready("verify", "env.pxb", *TRUSTING).out
    assert "not checked (--unverified)" in ready("plan", "env.pxb", "--to", "b", "--unverified").out


@pytest.mark.parametrize("place", ["XFER_ALLOWED_SIGNERS", "~/.config/xfer/allowed_signers"])
def test_signers_are_known_without_an_option(ready: Any, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a variable, else by the file in the home directory; then a signature is required."""
    if place.startswith("XFER"):
        monkeypatch.setenv(place, "signers")
    else:
        Path(".config/xfer").mkdir(parents=True)
        Path("signers").rename(".config/xfer/allowed_signers")

    assert ready("verify", "env.pxb").code == 0
    Path("env.pxb.sig").unlink()
    assert refused(call(ready, "verify")) == "signature-missing"


def test_an_empty_variable_takes_no_trust_away(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is as if it were not set: the file in the home directory counts."""
    monkeypatch.setenv("XFER_ALLOWED_SIGNERS", "")
    Path(".config/xfer").mkdir(parents=True)
    Path("signers").rename(".config/xfer/allowed_signers")
    Path("env.pxb.sig").unlink()

    assert refused(call(ready, "verify")) == "signature-missing"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--signer", "bob@*"), "signer-not-asked-for"),
        (("--min-signers", "2"), "too-few-signers"),
        (("--revoked", "alice.pub"), "signer-revoked"),
    ],
)
def test_trust_can_be_narrowed(ready: Any, arguments: tuple[str, ...], reason: str) -> None:
    """By a pattern, by a number of people, and by keys that are revoked."""
    assert refused(call(ready, "verify", *TRUSTING, *arguments)) == reason


def test_the_time_of_judging_can_be_named(ready: Any) -> None:
    """A key that has expired is accepted for a time when it was valid."""
    Path("signers").write_text(f'alice@example.com valid-before="20200101Z" {ALICE.line}\n')

    assert refused(call(ready, "verify", *TRUSTING)) == "signer-expired"
    assert ready("verify", "env.pxb", *TRUSTING, "--verify-time", "20191231Z").code == 0


def test_a_second_person_signs_beside_the_first(ready: Any) -> None:
    """Both are found, and are two people."""
    assert ready("sign", "env.pxb", "--key", "bob", "--as", "bob").out == "written: env.pxb.bob.sig\n"

    found = call(ready, "verify", *TRUSTING, "--min-signers", "2").document["signatures"]

    assert (found["people"], found["needed"]) == (2, 2)


def test_a_stranger_among_the_signers_is_told(ready: Any) -> None:
    """A right signature by a key that is not allowed does not count, and does not harm."""
    assert ready("sign", "env.pxb", "--key", "mallory", "--as", "mallory").code == 0

    assert "does not count:  env.pxb.mallory.sig: the key is not in" in ready("verify", "env.pxb", *TRUSTING).out


def test_standard_input_has_a_named_signature(ready: Any) -> None:
    """What comes from a pipe is judged before it is read, by the signature that is named."""
    content = Path("env.pxb").read_bytes()

    ended = ready("verify", "-", *TRUSTING, "--signature", "env.pxb.sig", "--json", stdin=content)
    assert ended.document["signatures"]["state"] == "verified"
    assert refused(ready("verify", "-", *TRUSTING, "--json", stdin=content)) == "signature-missing"


def test_a_file_that_changes_while_it_is_read_is_refused(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was judged is what is read, also if somebody writes to the file in between."""
    original = Path("env.pxb").read_bytes()
    ready.a.add("added", "later")
    assert ready("export", "--from", "a", "-o", "other.pxb").code == 0
    other = Path("other.pxb").read_bytes()

    from bundle.cli import trust_options  # noqa: PLC0415 - what is replaced

    judge = trust_options.Trust.judge

    def judged(*arguments: Any) -> Any:
        found = judge(*arguments)
        Path("env.pxb").write_bytes(other)
        return found

    monkeypatch.setattr(trust_options.Trust, "judge", judged)
    ended = call(ready, "plan", *TRUSTING)

    assert (ended.code, ended.document["error"]["code"]) == (4, "Corrupt")
    assert ready.b.requests == []
    assert original != other


@pytest.mark.parametrize(
    "arguments",
    [
        ("--allowed-signers", "nothing"),
        ("--allowed-signers", "odd"),
        ("--unverified", "--allowed-signers", "signers"),
        ("--unverified", "--min-signers", "2"),
        ("--signer", "alice@*"),
        ("--allowed-signers", "signers", "--verify-time", "yesterday"),
        ("--allowed-signers", "signers", "--min-signers", "0"),
        ("--allowed-signers", "signers", "--revoked", "nothing"),
    ],
)
def test_wrong_usage_does_nothing(ready: Any, arguments: tuple[str, ...]) -> None:
    """A file of trust that cannot be used, and options that contradict each other, are exit code 64."""
    Path("odd").write_text(f"alice@example.com no-such-option {ALICE.line}\n")

    assert ready("import", "env.pxb", "--to", "b", *arguments).code == 64
    assert ready.b.requests == []


def test_a_signature_is_replaced_only_by_force(ready: Any) -> None:
    """An existing signature stays unless --force is given; a refused export writes neither file."""
    before = Path("env.pxb.sig").read_bytes()

    assert ready("sign", "env.pxb", "--key", "bob").code == 1
    assert Path("env.pxb.sig").read_bytes() == before
    Path("new.pxb.sig").touch()
    assert ready("export", "--from", "a", "-o", "new.pxb", "--sign", "bob").code == 1
    assert not Path("new.pxb").exists()
    assert ready("sign", "env.pxb", "--key", "bob", "--force").code == 0
    assert refused(call(ready, "verify", *TRUSTING, "--signer", "alice@*")) == "signer-not-asked-for"


def test_a_bundle_never_appears_unsigned(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where signing fails there is no bundle, and when the bundle appears its signature is there."""
    Path("broken").write_text("not a key")
    assert shell("export", "--from", "a", "-o", "env.pxb", "--sign", "broken").code != 0
    assert not Path("env.pxb").exists()
    ALICE.write(Path("alice"))
    seen: list[tuple[bool, bool]] = []
    real = trust_signing.sign_stream

    def noted(*arguments: Any, **given: Any) -> None:
        before = Path("env.pxb").exists()
        real(*arguments, **given)
        seen.append((before, Path("env.pxb.sig").exists()))

    monkeypatch.setattr("bundle.trust.signing.sign_stream", noted)
    assert shell("export", "--from", "a", "-o", "env.pxb", "--sign", "alice").code == 0
    assert seen == [(False, True)]
    assert Path("env.pxb").exists()


@pytest.mark.parametrize("more", [("-o", "-"), ("-o", "env.pxb")])
def test_what_cannot_be_signed_is_wrong_usage(shell: Any, more: tuple[str, ...]) -> None:
    """Standard output has no place for a signature, and a key that is not there signs nothing."""
    ALICE.write(Path("alice"))
    key = "alice" if more[1] == "-" else "nothing"
    assert shell("export", "--from", "a", *more, "--sign", key).code == 64
    assert shell.a.requests == []


def test_signing_works_without_ssh_keygen(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In process, with a passphrase that is asked for."""
    BOB.write(Path("locked"), passphrase="open")
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr(passphrases, "ask", lambda name: {"locked": "open"}[name])

    assert ready("sign", "env.pxb", "--key", "locked", "--as", "bob").code == 0
    assert ready("verify", "env.pxb", *TRUSTING, "--min-signers", "2").code == 0


def test_a_passphrase_is_asked_for_on_a_terminal_only(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one the command ends with wrong usage, and does not read what was piped in."""
    BOB.write(Path("locked"), passphrase="open")
    monkeypatch.setattr("shutil.which", lambda _: None)
    monkeypatch.setattr("os.open", _no_terminal)

    assert ready("sign", "env.pxb", "--key", "locked", "--as", "bob", stdin=b"open\n").code == 64


def _no_terminal(*_: Any, **__: Any) -> int:
    raise OSError


@needs_openssh
def test_ssh_keygen_reads_the_signature_of_an_export(ready: Any) -> None:
    """The signature beside a bundle is one that OpenSSH verifies over the whole file."""
    content, signature = Path("env.pxb").read_bytes(), Path("env.pxb.sig").read_bytes()

    assert verifies(signature, content, Path("signers").read_text(), ready.directory)
    assert not verifies(signature, content + b"\0", Path("signers").read_text(), ready.directory)


def test_signing_needs_a_file_of_ours(ready: Any) -> None:
    """A file of another kind has no namespace to be signed in."""
    Path("notes.txt").write_text("x")
    assert ready("sign", "notes.txt", "--key", "alice").code == 64
    assert ready("sign", "none.pxb", "--key", "alice").code == 4
