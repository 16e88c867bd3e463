"""bundle.trust.allowed_signers and revoked: the files that say whose signatures are trusted, and whose no longer."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import UsageError
from bundle.trust import allowed_signers, dates, revoked
from bundle.trust.allowed_signers import Entry, parse
from support.signers import certified, line_of, person

ALICE, BOB = person("ed25519").line, person("ed25519", 2).line
KEY = person("ed25519").public


@pytest.mark.parametrize(
    ("line", "entry"),
    [
        (f"alice {ALICE}", Entry(line=1, principals="alice", key=KEY)),
        (f"alice,*@x,!bob@x {ALICE} a comment", Entry(line=1, principals="alice,*@x,!bob@x", key=KEY)),
        (f'"alice of x,bob" {ALICE}', Entry(line=1, principals="alice of x,bob", key=KEY)),
        (f'\t alice \t {ALICE.replace(" ", "  ")} "open', Entry(line=1, principals="alice", key=KEY)),
        (f"alice cert-authority {ALICE}", Entry(line=1, principals="alice", key=KEY, is_authority=True)),
        (f"alice CERT-Authority {ALICE}\r", Entry(line=1, principals="alice", key=KEY, is_authority=True)),
        (f'alice namespaces="a*,!ab" {ALICE}', Entry(line=1, principals="alice", key=KEY, namespaces="a*,!ab")),
        (f'alice namespaces="a b" {ALICE}', Entry(line=1, principals="alice", key=KEY, namespaces="a b")),
        (f'alice namespaces="a\\"b" {ALICE}', Entry(line=1, principals="alice", key=KEY, namespaces='a"b')),
        (
            f'alice cert-authority,valid-after="20260101Z",valid-before="202602010000Z" {ALICE}',
            Entry(
                line=1,
                principals="alice",
                key=KEY,
                is_authority=True,
                valid_after=dates.read("20260101Z"),
                valid_before=dates.read("20260201Z"),
            ),
        ),
    ],
)
def test_a_line_is_read_as_openssh_reads_it(line: str, entry: Entry) -> None:
    """Principals, options and key, quoted or not, with and without a comment."""
    assert parse(line, "signers") == (entry,)


def test_comments_and_empty_lines_say_nothing() -> None:
    """And they are counted."""
    text = f"\n# {ALICE}\n  \t\n  # more\nalice {ALICE}\n\nbob {BOB}"

    assert [(entry.line, entry.principals) for entry in parse(text, "signers")] == [(5, "alice"), (7, "bob")]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("alice", "list of principals and a key"),
        (f"{ALICE}", "key is missing"),
        ("alice ssh-ed25519", "key is missing"),
        (f'alice expiry="20260101" {ALICE}', "unknown option expiry"),
        (f"alice no-touch-required {ALICE}", "unknown option no-touch-required"),
        (f"alice cert-authority,unknown {ALICE}", "unknown option unknown"),
        (f'alice cert-authority="x" {ALICE}', "takes no value"),
        (f"alice namespaces {ALICE}", "takes a value in quotes"),
        (f"alice namespaces=xfer-bundle {ALICE}", "cannot read the options"),
        (f'alice namespaces="a"x {ALICE}', "cannot read the options"),
        (f'alice namespaces="a", {ALICE}', "end with a comma"),
        (f'alice ,namespaces="a" {ALICE}', "cannot read the options"),
        (f'alice namespaces="a",,cert-authority {ALICE}', "cannot read the options"),
        (f'alice namespaces="a {ALICE}', "not closed"),
        (f'alice namespaces="a",namespaces="b" {ALICE}', "twice"),
        (f"alice cert-authority,cert-authority {ALICE}", "twice"),
        (f'alice namespaces="" {ALICE}', "empty pattern"),
        (f'alice valid-after="soon" {ALICE}', "not a time"),
        (f'alice valid-after="20260230Z" {ALICE}', "not a time that exists"),
        (f'alice valid-after="20260201Z",valid-before="20260201Z" {ALICE}', "not later"),
        (f"alice,,bob {ALICE}", "empty pattern"),
        (f'ali"ce" {ALICE}', "list of principals and a key"),
        (f'"alice {ALICE}', "list of principals and a key"),
        (f'"alice"{ALICE}', "list of principals and a key"),
        (f"alice {ALICE[:-4]}", "too early"),
        ("alice ssh-ed25519 !!!!", "not base64"),
        (f"alice ssh-rsa {ALICE.split()[1]}", "another type"),
        ("alice ssh-dss AAAAB3NzaC1kc3M=", "ssh-dss"),
        (f"alice {line_of(certified(person('ed25519'), person('ed25519', 2)).public.wire)}", "authority"),
    ],
)  # fmt: skip
def test_a_line_that_cannot_be_read_refuses_the_file(line: str, why: str) -> None:
    """Exit code 64, with the file, the number of the line and the reason; the good lines do not count either."""
    with pytest.raises(UsageError, match=why) as caught:
        parse(f"bob {BOB}\n\n{line}\n", "signers")

    assert caught.value.message.startswith("signers:3: ")
    assert caught.value.exit_code == 64


WORD = st.text("abcxyz@.*?-", min_size=1, max_size=12)
LIST = st.lists(st.builds(str.__add__, st.sampled_from(("", "!")), WORD), min_size=1, max_size=4).map(",".join)
TIME = st.integers(1, 4_000_000_000)


@st.composite
def entries(draw: st.DrawFn) -> Entry:
    after, before = sorted(draw(st.lists(TIME, min_size=2, max_size=2, unique=True)))
    return Entry(
        line=1,
        principals=draw(LIST),
        key=person("ed25519", draw(st.integers(1, 3))).public,
        is_authority=draw(st.booleans()),
        namespaces=draw(st.none() | LIST),
        valid_after=draw(st.sampled_from((None, after))),
        valid_before=draw(st.sampled_from((None, before))),
    )


def written(entry: Entry) -> str:
    """A line that says an entry."""

    def moment(seconds: int) -> str:
        return "".join(each for each in dates.written(seconds) if each.isdigit()) + "Z"

    options = ["cert-authority"] if entry.is_authority else []
    options += [f'namespaces="{entry.namespaces}"'] if entry.namespaces else []
    options += [f'valid-after="{moment(entry.valid_after)}"'] if entry.valid_after else []
    options += [f'valid-before="{moment(entry.valid_before)}"'] if entry.valid_before else []
    return " ".join(filter(None, (f'"{entry.principals}"', ",".join(options), line_of(entry.key.blob))))


@given(entries())
def test_what_is_written_is_read(entry: Entry) -> None:
    """Every entry comes back from its line."""
    assert parse(written(entry), "signers") == (entry,)


@given(st.text("ab\"'\\,= \t#!*\n" + "ssh-ed25519cert-authority", max_size=60))
def test_no_text_is_a_bug(text: str) -> None:
    """Any text is entries, or an error for users."""
    with contextlib.suppress(UsageError):
        assert isinstance(parse(text, "signers"), tuple)


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * (4 * 1024 * 1024 + 1)])
def test_a_file_that_cannot_be_read_is_misuse(tmp_path: Path, content: bytes | None) -> None:
    """Exit code 64: missing, not a text, or endless."""
    path = tmp_path / "signers"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(UsageError, match="signers: "):
        allowed_signers.load(path)


def revoked_file(tmp_path: Path, content: str | bytes) -> Path:
    path = tmp_path / "revoked"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_revoked_keys_are_one_a_line(tmp_path: Path) -> None:
    """With comments; a key that is too weak to be trusted can be listed, and of a certificate its key is meant."""
    certificate = certified(person("ed25519"), person("ed25519", 2))
    weak = "ssh-dss AAAAB3NzaC1kc3M= old"
    path = revoked_file(tmp_path, f"# gone\n\n{line_of(certificate.public.wire)}\t of Alice\n{weak}\n")

    found = revoked.load(path)

    assert person("ed25519").public.blob in found
    assert len(found) == 2


def test_the_authority_of_a_certificate_can_be_revoked(tmp_path: Path) -> None:
    """Every certificate by it is revoked then, and the keys in them are not by themselves."""
    found = revoked.load(revoked_file(tmp_path, BOB))
    subject = certified(person("ed25519"), person("ed25519", 2)).public

    assert revoked.is_revoked(subject, found)
    assert not revoked.is_revoked(person("ed25519").public, found)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"SSHKRL\n\0" + b"\0\0\0\1" * 9, "KRL"),
        (f"{BOB}\nnonsense\n", ":2: "),
        (f"{BOB}\nssh-rsa {BOB.split()[1]}\n", ":2: "),
        ("serial: 5\n", ":1: "),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(tmp_path: Path, content: str | bytes, why: str) -> None:
    """A revocation that is passed over would be none."""
    with pytest.raises(UsageError, match=why):
        revoked.load(revoked_file(tmp_path, content))


def test_a_missing_list_is_refused(tmp_path: Path) -> None:
    """A name without a file is no empty list."""
    with pytest.raises(UsageError, match="cannot be read"):
        revoked.load(tmp_path / "revoked")
