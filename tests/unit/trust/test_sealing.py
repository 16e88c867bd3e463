"""bundle.trust.sealing: secrets for some eyes, bound to one bundle."""

from __future__ import annotations

from pathlib import Path

import pyrage
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle.errors import BundleRejected, UsageError
from bundle.record.canonical import encode
from bundle.trust import sealing
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.sealing import identities_of, recipients_of, seal, unseal, unseal_file
from support.signers import person

DIGEST, OTHER = "ab" * 32, "cd" * 32
SLOTS = {"block:secret/db#/data/value": "hunter2", "variable:x#/value": {"a": [1, 2.5, None, "ä"]}}
OURS = pyrage.x25519.Identity.generate()
THEIRS = pyrage.x25519.Identity.generate()


def silent(name: str) -> str:
    raise AssertionError(f"asked for the passphrase of {name}")


def reason(sealed: bytes, digest: str = DIGEST, identity: pyrage.x25519.Identity = OURS) -> Reason:
    with pytest.raises(Distrusted) as caught:
        unseal(sealed, "env.secrets.age", digest, [identity])
    assert caught.value.exit_code == 4
    assert "hunter2" not in caught.value.message
    return caught.value.reason


def sealed_for(identity: pyrage.x25519.Identity) -> bytes:
    return seal(SLOTS, DIGEST, [identity.to_public()])


def test_what_is_sealed_is_unsealed() -> None:
    """Every recipient by itself opens it, and gets the values as they were."""
    sealed = seal(SLOTS, DIGEST, [OURS.to_public(), THEIRS.to_public()])

    assert b"hunter2" not in sealed
    assert unseal(sealed, "x", DIGEST, [OURS]) == SLOTS
    assert unseal(sealed, "x", DIGEST, [THEIRS]) == SLOTS


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
@settings(max_examples=50)
def test_every_value_survives(slots: dict[str, object]) -> None:
    """Any JSON under any slot."""
    assert unseal(seal(slots, DIGEST, [OURS.to_public()]), "x", DIGEST, [OURS]) == slots


def test_the_document_inside_is_canonical() -> None:
    """Stock tools that open it find this."""
    plain = pyrage.decrypt(seal({"b": 1, "a": None}, DIGEST, [OURS.to_public()]), [OURS])

    assert plain == b'{"content_digest":"' + DIGEST.encode() + b'","slots":{"a":null,"b":1},"xfer_secrets":"1.0"}'


def test_secrets_stay_with_their_bundle() -> None:
    """For a bundle with another content they are refused."""
    assert reason(sealed_for(OURS), OTHER) == Reason.SEALED_FOR_OTHER_BUNDLE


def test_secrets_stay_with_their_recipients() -> None:
    """Who is none cannot open them, and is told so."""
    assert reason(sealed_for(THEIRS)) == Reason.SEALED_FOR_OTHERS
    assert reason(pyrage.passphrase.encrypt(b"{}", "x")) == Reason.SEALED_FOR_OTHERS


def test_no_flipped_bit_is_accepted() -> None:
    """Every single bit of a sealed file counts."""
    sealed = sealed_for(OURS)

    def is_accepted(changed: bytes) -> bool:
        try:
            unseal(changed, "x", DIGEST, [OURS])
        except Distrusted:
            return False
        return True

    assert is_accepted(sealed)
    for bit in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[bit // 8] ^= 1 << bit % 8
        assert not is_accepted(bytes(changed)), bit


def test_no_cut_and_no_addition_is_accepted() -> None:
    """Whatever is missing at the end, or too much."""
    sealed = sealed_for(OURS)

    for length in range(len(sealed)):
        assert reason(sealed[:length]) in {Reason.SEALED_MALFORMED, Reason.SEALED_FOR_OTHERS}
    assert reason(sealed + b"\n") == Reason.SEALED_MALFORMED
    assert reason(sealed + sealed) == Reason.SEALED_MALFORMED


@pytest.mark.parametrize(
    "plain",
    [
        b"",
        b"[]",
        b"hunter2",
        encode({"xfer_secrets": "1.0", "content_digest": DIGEST}),
        encode({"xfer_secrets": "2.0", "content_digest": DIGEST, "slots": {}}),
        encode({"xfer_secrets": "1.0", "content_digest": DIGEST, "slots": {}, "more": 1}),
        encode({"xfer_secrets": "1.0", "content_digest": DIGEST, "slots": {}}) + b"\n",
        b'{"content_digest":"' + DIGEST.encode() + b'","slots":{"a":1,"a":2},"xfer_secrets":"1.0"}',
        b"[" * 100_000,
    ],
    ids=range(9),
)
def test_another_content_is_refused(plain: bytes) -> None:
    """What is sealed has one form: known fields, a known version, no doubled slots; it is not quoted."""
    assert reason(pyrage.encrypt(plain, [OURS.to_public()])) == Reason.SEALED_MALFORMED


def test_the_armored_form_is_refused() -> None:
    """It has many spellings of one content."""
    plain = pyrage.decrypt(sealed_for(OURS), [OURS])

    assert reason(pyrage.encrypt(plain, [OURS.to_public()], armored=True)) == Reason.SEALED_MALFORMED


def test_an_endless_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is decrypted."""
    monkeypatch.setattr(sealing, "LONGEST", 50)

    assert reason(b"age-encryption.org/v1\n" + b"x" * 50) == Reason.SEALED_MALFORMED


def test_nothing_is_sealed_for_nobody() -> None:
    """An empty list of recipients is a mistake."""
    with pytest.raises(UsageError, match="nobody"):
        seal(SLOTS, DIGEST, [])


@pytest.mark.parametrize("kind", ["ed25519", "rsa-2048"])
@pytest.mark.parametrize("passphrase", ["", "a long way"])
def test_keys_of_ssh_are_recipients(tmp_path: Path, kind: str, passphrase: str) -> None:
    """With a passphrase too, which is asked for once; no decrypted key is written."""
    key = person(kind).write(tmp_path / "id", passphrase)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    sealed = seal(SLOTS, DIGEST, recipients_of([person(kind).line + " a comment"]))

    identities = identities_of(key, (lambda _: passphrase) if passphrase else silent)

    assert unseal(sealed, "x", DIGEST, identities) == SLOTS
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_files_of_age_hold_identities(tmp_path: Path) -> None:
    """As ``age-keygen`` writes them, with comments, and several of them."""
    path = tmp_path / "key.txt"
    path.write_text(f"# created: now\n# public key: {OURS.to_public()}\n{THEIRS}\n\n{OURS}\n")

    assert unseal(sealed_for(OURS), "x", DIGEST, identities_of(path, silent)) == SLOTS


@pytest.mark.parametrize(
    "content",
    [
        None,
        "",
        "# nothing\n",
        "AGE-SECRET-KEY-1XYZ\n",
        pytest.param(f"{OURS.to_public()}\n", id="public"),
        "AGE-PLUGIN-X-1QQQ\n",
        "ecdsa",
    ],
)
def test_what_is_no_identity_is_misuse(tmp_path: Path, content: str | None) -> None:
    """Missing, empty, damaged, a public half, a plugin, or a key that age does not take; nothing is quoted."""
    path = tmp_path / "key"
    if content == "ecdsa":
        person("ecdsa-256").write(path)
    elif content is not None:
        path.write_text(content)

    with pytest.raises(UsageError, match="key: ") as caught:
        identities_of(path, silent)

    assert "SECRET-KEY-1XYZ" not in caught.value.message


@pytest.mark.parametrize(
    "line",
    ["age1xyz", "x", pytest.param(person("ecdsa-256").line, id="ecdsa"), "ssh-ed25519 AAAA", "age1yubikey1qqq", "-i"],
)
def test_what_is_no_recipient_is_misuse(line: str) -> None:
    """Damaged, of a kind that age does not take, or a plugin."""
    with pytest.raises(UsageError, match="not a recipient"):
        recipients_of([line])


def test_recipients_come_from_files_too() -> None:
    """Comments and empty lines are none, and who is there twice is there once."""
    lines = ["# us", "", str(OURS.to_public()), f"  {OURS.to_public()}\n"]

    assert len(recipients_of(lines)) == 1


def test_a_file_is_unsealed(tmp_path: Path) -> None:
    """And a missing one is refused."""
    path = tmp_path / "env.secrets.age"
    path.write_bytes(sealed_for(OURS))

    assert unseal_file(path, DIGEST, [OURS]) == SLOTS
    with pytest.raises(BundleRejected, match="cannot be read"):
        unseal_file(tmp_path / "missing", DIGEST, [OURS])


def test_a_header_made_to_be_costly_is_refused_unread() -> None:
    """A header of very many lines, or without an end, is refused before the library sees it; 400 recipients are not."""
    start, _, rest = seal({}, DIGEST, [OURS.to_public()]).partition(b"\n")

    assert reason(start + b"\n-> a\n\n" * 5000 + rest) == Reason.SEALED_MALFORMED
    assert reason(start + b"\n-> a\n\n" * 20_000) == Reason.SEALED_MALFORMED
    many = [pyrage.x25519.Identity.generate().to_public() for _ in range(400)]
    assert unseal(seal({"a": 1}, DIGEST, [*many, OURS.to_public()]), "env.age", DIGEST, [OURS]) == {"a": 1}
