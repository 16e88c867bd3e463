"""bundle.trust.verify and policy: who signed a file, whether that is enough, and why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import BundleRejected
from bundle.trust import digests, keys, policy, verify
from bundle.trust.allowed_signers import parse
from bundle.trust.policy import Policy, Verification, count_people
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.verify import Namespace, signature_files
from support.signers import CONTENT, KINDS, SECURITY_KEYS, Person, certified, person, seconds, signed_file

ALICE, BOB, CAROL, AUTHORITY = (person("ed25519", number) for number in range(1, 5))
NOW = seconds("2026-11-25T12:00:00+00:00")


def trust(
    *lines: str, at: int = NOW, signer: str | None = None, least: int = 1, gone: tuple[Person, ...] = ()
) -> Policy:
    """A policy with these lines as file of allowed signers."""
    entries = parse("\n".join(lines), "signers")
    revoked = frozenset(each.public.blob for each in gone)
    return Policy(entries=entries, at=at, revoked=revoked, signer=signer, min_signers=least)


def verified(path: Path, policy_: Policy | None, namespace: Namespace = Namespace.BUNDLE) -> Verification | None:
    files = signature_files(path)
    return verify.verify(path.name, digests.of_file(path), files, namespace=namespace, policy=policy_)


def refusal(path: Path, policy_: Policy | None, namespace: Namespace = Namespace.BUNDLE) -> Reason:
    with pytest.raises(Distrusted) as caught:
        verified(path, policy_, namespace)
    assert caught.value.exit_code == 4
    return caught.value.reason


def principals(path: Path, policy_: Policy) -> list[tuple[str, ...]]:
    found = verified(path, policy_)
    assert found is not None
    return [signer.principals for signer in found.signers]


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Where the file of a test is."""
    return tmp_path / "env.pxb"


@pytest.mark.parametrize("kind", [*KINDS, *SECURITY_KEYS])
def test_a_signature_by_an_allowed_signer_is_accepted(bundle: Path, kind: str) -> None:
    """The principal, the type of the key and the fingerprint are known then."""
    signed_file(bundle, person(kind))

    found = verified(bundle, trust(f"alice@example.com {person(kind).line}"))

    assert found is not None
    (signer,) = found.signers
    assert signer.principals == ("alice@example.com",)
    assert signer.key_type == person(kind).public.type
    assert signer.fingerprint == person(kind).public.fingerprint
    assert found.people == 1


def test_without_policy_and_signature_nothing_is_said(bundle: Path) -> None:
    """As before there were signatures."""
    assert verified(signed_file(bundle), None) is None


def test_a_signature_without_policy_is_refused(bundle: Path) -> None:
    """Whoever signed wanted it checked."""
    assert refusal(signed_file(bundle, ALICE), None) == Reason.TRUST_FILE_MISSING


def test_a_policy_requires_a_signature(bundle: Path) -> None:
    """A removed signature is no way around it."""
    assert refusal(signed_file(bundle), trust(f"alice {ALICE.line}")) == Reason.SIGNATURE_MISSING


def test_a_policy_for_nobody_trusts_nobody(bundle: Path) -> None:
    """An empty file of allowed signers, or none needed, lets nothing through."""
    assert refusal(signed_file(bundle, ALICE), trust()) == Reason.SIGNER_UNKNOWN
    Path(f"{bundle}.sig").unlink()
    assert refusal(bundle, trust(least=0)) == Reason.SIGNATURE_MISSING


def test_another_content_is_refused(bundle: Path) -> None:
    """Even by the right person."""
    signed_file(bundle, ALICE).write_bytes(CONTENT + b"x")

    assert refusal(bundle, trust(f"alice {ALICE.line}")) == Reason.SIGNATURE_WRONG


def test_a_damaged_signature_is_refused(bundle: Path) -> None:
    """With line ends as a mail gateway makes them; the hint says so."""
    signature = Path(f"{signed_file(bundle, ALICE)}.sig")
    signature.write_bytes(signature.read_bytes().replace(b"\n", b"\r\n"))

    with pytest.raises(Distrusted, match=r"env\.pxb\.sig") as caught:
        verified(bundle, trust(f"alice {ALICE.line}"))

    assert caught.value.reason == Reason.SIGNATURE_MALFORMED
    assert "line ends" in caught.value.hint


def test_another_kind_of_file_is_refused(bundle: Path) -> None:
    """A signed plan is no signed bundle, nor is one of git's signatures."""
    for namespace in ("xfer-plan", "git"):
        signed_file(bundle, ALICE, namespace=namespace)
        assert refusal(bundle, trust(f"alice {ALICE.line}")) == Reason.NAMESPACE_WRONG


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("bob BOB", Reason.SIGNER_UNKNOWN),
        ("alice cert-authority ALICE", Reason.SIGNER_UNKNOWN),
        ('alice namespaces="xfer-plan,file" ALICE', Reason.NAMESPACE_NOT_ALLOWED),
        ('alice namespaces="xfer-*,!xfer-bundle" ALICE', Reason.NAMESPACE_NOT_ALLOWED),
        ('alice valid-after="20261126Z" ALICE', Reason.SIGNER_NOT_YET_VALID),
        ('alice valid-before="20261125115959Z" ALICE', Reason.SIGNER_EXPIRED),
    ],
)
def test_an_entry_says_for_what_and_when(bundle: Path, line: str, reason: Reason) -> None:
    """The key, the namespace and the time of an entry."""
    keys = {"ALICE": ALICE.line, "BOB": BOB.line}
    words, _, name = line.rpartition(" ")
    assert refusal(signed_file(bundle, ALICE), trust(f"{words} {keys[name]}")) == reason


@pytest.mark.parametrize(
    "options", ['namespaces="xfer-*"', 'valid-after="20261125120000Z"', 'valid-before="20261125120000Z"']
)
def test_both_ends_of_the_time_belong_to_it(bundle: Path, options: str) -> None:
    """As for ssh-keygen."""
    assert principals(signed_file(bundle, ALICE), trust(f"alice {options} {ALICE.line}")) == [("alice",)]


def test_the_time_of_judging_is_given(bundle: Path) -> None:
    """A key that has expired by now may have been good when it signed."""
    line = f'alice valid-before="20260101Z" {ALICE.line}'
    signed_file(bundle, ALICE)

    assert refusal(bundle, trust(line)) == Reason.SIGNER_EXPIRED
    assert principals(bundle, trust(line, at=seconds("2025-12-01T00:00:00+00:00"))) == [("alice",)]


def test_one_good_entry_is_enough(bundle: Path) -> None:
    """A key may be in several lines; those that refuse it do not count against it."""
    lines = f'alice valid-before="20200101Z" {ALICE.line}', f"alice@new {ALICE.line}"

    assert principals(signed_file(bundle, ALICE), trust(*lines)) == [("alice@new",)]


def test_of_several_reasons_the_nearest_is_told(bundle: Path) -> None:
    """An expired key of the right person explains more than a foreign one."""
    lines = f'alice valid-before="20200101Z" {ALICE.line}', f"bob {BOB.line}"

    assert refusal(signed_file(bundle, ALICE), trust(*lines)) == Reason.SIGNER_EXPIRED


def test_a_revoked_key_is_refused(bundle: Path) -> None:
    """Also where an entry allows it."""
    assert refusal(signed_file(bundle, ALICE), trust(f"alice {ALICE.line}", gone=(ALICE,))) == Reason.SIGNER_REVOKED


@pytest.mark.parametrize(
    ("entry", "asked_for", "found"),
    [
        ("alice@x,al@x", None, ("alice@x", "al@x")),
        ("alice@x,al@x", "al@x", ("al@x",)),
        ("alice@x,al@x", "*", ("alice@x", "al@x")),
        ("alice@x,al@x", "*,!al@x", ("alice@x",)),
        ("*@x", None, ("*@x",)),
        ("*@x", "alice@x", ("alice@x",)),
        ("*@x", "alice@y", None),
        ("*@x", "?@x", None),
        ("*@x", "*@x", None),
        ("*@x,!alice@x", "alice@x", None),
        ("alice@x", "bob@x", None),
        ("alice@x", "Alice@x", None),
    ],
)
def test_signers_can_be_asked_for(
    bundle: Path, entry: str, asked_for: str | None, found: tuple[str, ...] | None
) -> None:
    """By name, or by a pattern for names; a pattern of an entry is never matched by a pattern."""
    policy_ = trust(f"{entry} {ALICE.line}", signer=asked_for)
    signed_file(bundle, ALICE)

    if found is None:
        assert refusal(bundle, policy_) == Reason.SIGNER_NOT_ASKED_FOR
    else:
        assert principals(bundle, policy_) == [found]


def certificate_policy(names: str = "*@example.com", **choices: object) -> Policy:
    return trust(f"{names} cert-authority {AUTHORITY.line}", **choices)  # type: ignore[arg-type]


def test_a_certificate_speaks_for_its_principals(bundle: Path) -> None:
    """Those of the certificate that the entry of its authority allows."""
    subject = certified(ALICE, AUTHORITY, ("alice@example.com", "root@other.com", "al@example.com"))

    found = principals(signed_file(bundle, subject), certificate_policy())

    assert found == [("alice@example.com", "al@example.com")]


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (certified(ALICE, BOB), Reason.SIGNER_UNKNOWN),
        (certified(ALICE, AUTHORITY, ("alice@other.com",)), Reason.CERTIFICATE_REFUSED),
        (certified(ALICE, AUTHORITY, ()), Reason.CERTIFICATE_REFUSED),
        (certified(ALICE, AUTHORITY, is_for_user=False), Reason.CERTIFICATE_REFUSED),
        (certified(ALICE, AUTHORITY, critical=("force-command",)), Reason.CERTIFICATE_REFUSED),
        (certified(ALICE, AUTHORITY, critical=("new@example.com",)), Reason.CERTIFICATE_REFUSED),
        (certified(ALICE, AUTHORITY, valid_after=NOW + 1), Reason.SIGNER_NOT_YET_VALID),
        (certified(ALICE, AUTHORITY, valid_before=NOW), Reason.SIGNER_EXPIRED),
        (certified(ALICE, AUTHORITY, valid_before=0), Reason.SIGNER_EXPIRED),
    ],
)
def test_a_certificate_has_its_limits(bundle: Path, subject: Person, reason: Reason) -> None:
    """Its authority, its principals, its use, its options and its time."""
    assert refusal(signed_file(bundle, subject), certificate_policy()) == reason


def test_a_certificate_is_valid_until_its_end(bundle: Path) -> None:
    """The first second belongs to its time, the last does not."""
    subject = certified(ALICE, AUTHORITY, valid_after=NOW, valid_before=NOW + 1)

    assert principals(signed_file(bundle, subject), certificate_policy()) == [("alice@example.com",)]


def test_a_key_is_not_trusted_for_its_certificate(bundle: Path) -> None:
    """A line with the key itself allows signatures by the key, not by a certificate of whoever."""
    subject = certified(ALICE, BOB)

    assert refusal(signed_file(bundle, subject), trust(f"alice@example.com {ALICE.line}")) == Reason.SIGNER_UNKNOWN


def test_a_forged_certificate_is_wrong(bundle: Path) -> None:
    """It names the authority, but has not its signature."""
    real = certified(ALICE, AUTHORITY, ("alice@example.com",))
    forged = real.public.wire.replace(b"alice@example.com", b"mallo@example.com")
    mallory = Person(ALICE.private, keys.read(forged))

    assert refusal(signed_file(bundle, mallory), certificate_policy()) == Reason.SIGNATURE_WRONG


@pytest.mark.parametrize("gone", [ALICE, AUTHORITY])
def test_a_certificate_is_revoked_with_its_key_and_its_authority(bundle: Path, gone: Person) -> None:
    """Either is enough."""
    policy_ = certificate_policy(gone=(gone,))

    assert refusal(signed_file(bundle, certified(ALICE, AUTHORITY)), policy_) == Reason.SIGNER_REVOKED


@pytest.mark.parametrize("kind", SECURITY_KEYS)
def test_a_security_key_has_to_be_touched(bundle: Path, kind: str) -> None:
    """A signature that nobody confirmed is refused, which ssh-keygen accepts."""
    signed_file(bundle, person(kind))
    Path(f"{bundle}.sig").write_bytes(person(kind).sign(CONTENT, flags=0))

    assert refusal(bundle, trust(f"alice {person(kind).line}")) == Reason.NOT_TOUCHED


@pytest.mark.parametrize(("flags", "is_good"), [(1, False), (4, False), (5, True)])
def test_a_certificate_can_require_the_pin(bundle: Path, flags: int, is_good: bool) -> None:  # noqa: FBT001
    """``verify-required``: touched, and the PIN given."""
    subject = certified(person("sk-ed25519"), AUTHORITY, critical=("verify-required",))
    signed_file(bundle, subject)
    Path(f"{bundle}.sig").write_bytes(subject.sign(CONTENT, flags=flags))

    if is_good:
        assert principals(bundle, certificate_policy()) == [("alice@example.com",)]
    else:
        assert refusal(bundle, certificate_policy()) == Reason.NOT_TOUCHED


TWO = f"alice {ALICE.line}", f"bob {BOB.line}"


def test_two_signers_are_two_people(bundle: Path) -> None:
    """Two keys of two principals are enough for two."""
    found = verified(signed_file(bundle, ALICE, BOB), trust(*TWO, least=2))

    assert found is not None
    assert found.people == 2


@pytest.mark.parametrize(
    ("lines", "people"),
    [
        (TWO, (ALICE,)),
        (TWO, (ALICE, ALICE)),
        ((f"alice {ALICE.line}", f"alice {BOB.line}"), (ALICE, BOB)),
        ((f"alice,al {ALICE.line}", f"al {BOB.line}"), (ALICE, BOB)),
        ((f"alice,bob {ALICE.line}",), (ALICE, ALICE)),
        ((f"*@x {ALICE.line}", f"*@x {BOB.line}"), (ALICE, BOB)),
        (TWO, (ALICE, CAROL)),
        (
            (f"alice {ALICE.line}", f"*@example.com cert-authority {AUTHORITY.line}"),
            (ALICE, certified(ALICE, AUTHORITY)),
        ),
    ],
)
def test_one_person_is_not_two(bundle: Path, lines: tuple[str, ...], people: tuple[Person, ...]) -> None:
    """Not with one key twice, two keys of one name, two names of one key, a foreign key, or a certificate of a key."""
    assert refusal(signed_file(bundle, *people), trust(*lines, least=2)) == Reason.TOO_FEW_SIGNERS


def test_a_foreign_signature_beside_a_good_one_is_passed_over(bundle: Path) -> None:
    """It is told, with its reason."""
    found = verified(signed_file(bundle, CAROL, ALICE), trust(*TWO))

    assert found is not None
    assert [signer.reason for signer in found.signers] == [Reason.SIGNER_UNKNOWN, None]


@pytest.mark.parametrize("content", [b"", b"junk", BOB.sign(b"other"), BOB.sign(CONTENT, "xfer-plan")])
def test_a_wrong_signature_beside_a_good_one_is_fatal(bundle: Path, content: bytes) -> None:
    """Damaged, over another content, or as another kind of file: somebody meddled."""
    signed_file(bundle, ALICE)
    Path(f"{bundle}.bob.sig").write_bytes(content)

    refusal(bundle, trust(*TWO))


def test_signatures_of_other_files_are_not_ours(bundle: Path) -> None:
    """``env.pxb.age.sig`` and ``env.pxb.result.json.sig`` belong to others; ``env.pxb.NAME.sig`` to this one."""
    signed_file(bundle, ALICE)
    for name in ("age.sig", "result.json.sig", "parts.sig", "bob.sig", "other", "other.sig", "x y.sig", ".sig"):
        Path(f"{bundle}.{name}").write_bytes(b"")

    assert [path.name for path in signature_files(bundle)] == ["env.pxb.sig", "env.pxb.bob.sig"]


def test_a_signature_that_cannot_be_read_is_refused(bundle: Path) -> None:
    """It is not taken for a missing one."""
    signed_file(bundle)
    Path(f"{bundle}.sig").mkdir()

    with pytest.raises(BundleRejected, match="cannot be read"):
        verified(bundle, trust(*TWO))


def test_every_refusal_names_a_file(bundle: Path) -> None:
    """And the key, so that it can be looked up."""
    with pytest.raises(Distrusted, match=r"env\.pxb\.sig: the key is not in the file of allowed signers") as caught:
        verified(signed_file(bundle, CAROL), trust(*TWO))

    assert CAROL.public.fingerprint in caught.value.message


NAMES = st.sets(st.sampled_from("abcd"), min_size=1).map(tuple)
SIGNERS = st.lists(st.tuples(st.sampled_from("KLMN"), NAMES), max_size=6)


@given(SIGNERS)
def test_people_are_at_most_keys_and_at_most_principals(signers: list[tuple[str, tuple[str, ...]]]) -> None:
    """No choice of keys and names makes more people than there are of either."""
    people = count_people(signers)

    assert people <= len({key for key, _ in signers})
    assert people <= len({name for _, names in signers for name in names})
    assert (people > 0) == bool(signers)


@given(SIGNERS, st.randoms())
def test_people_do_not_depend_on_the_order(signers: list[tuple[str, tuple[str, ...]]], random: object) -> None:
    """And signing twice makes nobody two people."""
    shuffled = [*signers, *signers]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    assert count_people(shuffled) == count_people(signers)


def test_nobody_is_never_enough() -> None:
    """Whatever is asked for."""
    assert not policy.decide((), trust(least=0)).is_enough
