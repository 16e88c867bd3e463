"""Secrets that are sealed for recipients: reading them from a source, and importing them."""

from __future__ import annotations

import asyncio
import re
import subprocess
from pathlib import Path
from typing import Any

import pyrage
import pytest

from bundle.cli import connection, passphrases
from bundle.container.reader import read_bundle
from bundle.operations.demo import fill
from bundle.trust import sealing
from support.commands import GOLDEN
from support.fake_prefect import FakePrefect
from support.offline import api_of
from support.signers import person

ME = pyrage.x25519.Identity.generate()
OTHER = pyrage.x25519.Identity.generate()
SLOTS = [each.slot for each in read_bundle(Path(GOLDEN)).manifest.secrets]


def seal(values: dict[str, Any], digest: str | None = None) -> None:
    """Seal some values for the golden bundle, or for one with another content digest."""
    real = read_bundle(Path(GOLDEN)).manifest.content_digest
    Path("sealed.age").write_bytes(sealing.seal(values, digest or real, sealing.recipients_of([str(ME.to_public())])))


@pytest.fixture
def ready(shell: Any) -> Any:
    """A shell with an identity that opens what is sealed for it, and another one."""
    Path("me.txt").write_text(f"# mine\n{ME}\n")
    Path("other.txt").write_text(f"{OTHER}\n")
    return shell


def plan(shell: Any, *more: str, key: str = "me.txt") -> Any:
    return shell("plan", GOLDEN, "--to", "b", "--secrets", "sealed.age", "-i", key, *more, "--json")


def test_sealed_secrets_fill_their_slots(ready: Any) -> None:
    """A sealed file is known by its first bytes, and fills the slots as a file in the clear does."""
    seal({slot: "s3cret-canary" for slot in SLOTS if "/keys" not in slot})

    ended = plan(ready)

    assert ended.code == 0
    assert "s3cret-canary" not in ended.out + ended.err
    assert all("s3cret-canary" not in request.content.decode() for request in ready.b.requests)
    states = {each["slot"]: each["state"] for each in ended.document["secrets"]}
    assert "supplied" in states.values()


@pytest.mark.parametrize(
    ("key", "digest", "reason"),
    [("other.txt", None, "sealed-for-others"), ("me.txt", "0" * 64, "sealed-for-other-bundle")],
)
def test_sealed_for_others_is_refused(ready: Any, key: str, digest: str | None, reason: str) -> None:
    """For other recipients, or for another bundle: each with its reason, before any request."""
    seal({SLOTS[0]: "s3cret-canary"}, digest)

    ended = plan(ready, key=key)

    assert (ended.code, ended.document["error"]["reason"]) == (4, reason)
    assert ready.b.requests == []


def test_a_sealed_file_that_was_altered_is_refused(ready: Any) -> None:
    """A bit of its content, and its end cut off; the reason is told, and nothing of the content."""
    seal({SLOTS[0]: "s3cret-canary"})
    good = Path("sealed.age").read_bytes()
    for bad in (good[:-1] + bytes((good[-1] ^ 1,)), good[:-1], good + b"\0"):
        Path("sealed.age").write_bytes(bad)
        ended = plan(ready)
        assert (ended.code, ended.document["error"]["reason"]) == (4, "sealed-malformed")
        assert "s3cret-canary" not in ended.out + ended.err


def test_sealed_secrets_need_a_key(ready: Any) -> None:
    """Without -i it is wrong usage, with the option as hint."""
    seal({SLOTS[0]: "x"})
    ended = ready("plan", GOLDEN, "--to", "b", "--secrets", "sealed.age")
    assert (ended.code, "--identity" in ended.err) == (64, True)


def test_an_ssh_key_with_a_passphrase_opens_it(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The passphrase is asked for; the key is never written in the clear."""
    someone = person("ed25519")
    someone.write(Path("locked"), passphrase="open")
    real = read_bundle(Path(GOLDEN)).manifest.content_digest
    Path("sealed.age").write_bytes(sealing.seal({SLOTS[0]: "x"}, real, sealing.recipients_of([someone.line])))
    monkeypatch.setattr(passphrases, "ask", lambda _: "open")

    assert plan(ready, key="locked").code == 0


def test_sealed_secrets_must_be_signed_where_signers_are_known(ready: Any) -> None:
    """Age does not say who sealed: the sealed file needs a signature of its own kind."""
    alice = person("ed25519")
    alice.write(Path("alice"))
    Path("signers").write_text(f"alice@example.com {alice.line}\n")
    seal({SLOTS[0]: "x"})
    Path("env.pxb").write_bytes(Path(GOLDEN).read_bytes())
    assert ready("sign", "env.pxb", "--key", "alice").code == 0
    arguments = ("plan", "env.pxb", "--to", "b", "--secrets", "sealed.age", "-i", "me.txt")

    ended = ready(*arguments, "--allowed-signers", "signers", "--json")
    assert (ended.code, ended.document["error"]["reason"]) == (4, "signature-missing")
    assert ready("sign", "sealed.age", "--key", "alice").code == 0
    assert ready(*arguments, "--allowed-signers", "signers").code == 0


@pytest.fixture
def source(ready: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same, with a source that has blocks with a secret, and its bundle."""
    fake = FakePrefect(seed=1, keeps_promises=False)
    monkeypatch.setattr(connection, "connect", lambda _: api_of(fake))

    async def filled() -> None:
        async with api_of(fake) as api:
            await fill(api, password="canary-5f3e")

    asyncio.run(filled())
    assert ready("export", "--from", "a", "-o", "env.pxb").code == 0
    return ready


def test_the_secrets_of_a_bundle_are_sealed(source: Any) -> None:
    """Exactly its slots are read from the source and sealed; no value is in any file or in the output."""
    ended = source("secrets", "seal", "env.pxb", "--from", "a", "-r", str(ME.to_public()), "-o", "new.age", "--json")

    slots = {each.slot for each in read_bundle(Path("env.pxb")).manifest.secrets}
    digest = read_bundle(Path("env.pxb")).manifest.content_digest
    found = sealing.unseal(Path("new.age").read_bytes(), "new.age", digest, [ME])
    assert found.keys() == slots
    assert found
    assert all("canary-5f3e" in str(value) for value in found.values())
    assert (ended.code, ended.document["summary"]["sealed"]) == (0, len(slots))
    assert Path("new.age").stat().st_mode & 0o777 == 0o600
    assert "canary-5f3e" not in ended.out + ended.err
    assert [path for path in Path().rglob("*") if path.is_file() and b"canary-5f3e" in path.read_bytes()] == []


@pytest.mark.parametrize("more", [(), ("-r", "somebody"), ("-r", "ecdsa-sha2-nistp256 AAAA")])
def test_nothing_is_sealed_for_nobody(source: Any, more: tuple[str, ...]) -> None:
    """Without a recipient, or with one that is none, nothing is written."""
    assert source("secrets", "seal", "env.pxb", "--from", "a", *more, "-o", "new.age").code == 64
    assert not Path("new.age").exists()


def test_the_sealed_file_can_be_signed_at_once(source: Any) -> None:
    """As what it is: a signature for sealed secrets."""
    person("ed25519").write(Path("alice"))
    recipient = str(ME.to_public())
    source("secrets", "seal", "env.pxb", "--from", "a", "-r", recipient, "-o", "new.age", "--sign", "alice")
    assert b"BEGIN SSH SIGNATURE" in Path("new.age.sig").read_bytes()


AGE = subprocess.run(["sh", "-c", "command -v age"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not AGE, reason="LEFT OUT: age is not installed, nobody else opened what was sealed")
def test_stock_age_opens_it(source: Any) -> None:
    """With the same identity, and the document has the values."""
    source("secrets", "seal", "env.pxb", "--from", "a", "-r", str(ME.to_public()), "-o", "new.age")
    done = subprocess.run(["age", "-d", "-i", "me.txt", "new.age"], capture_output=True, check=False)
    assert done.returncode == 0
    assert re.search(rb'"xfer_secrets":"1.0"', done.stdout)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_of_recipients_that_cannot_be_read_is_misuse(ready: Any, content: bytes | None) -> None:
    """One that is missing, and one that is no text; the source is not asked."""
    if content is not None:
        Path("recipients").write_bytes(content)
    ended = ready("secrets", "seal", GOLDEN, "--from", "a", "-R", "recipients", "-o", "s.age")
    assert (ended.code, "xfer: error: recipients: " in ended.err, ready.a.requests) == (64, True, [])
