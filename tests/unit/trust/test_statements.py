"""bundle.trust.statements: approvals and results, and four eyes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bundle.record.canonical import encode
from bundle.trust import statements
from bundle.trust.policy import Signer, Verification
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.statements import Approved, Ending, FourEyes, Result, VerifiedSigner, four_eyes, require_approvals

BUNDLE, PLAN, REPORT, CONTENT = "aa" * 32, "bb" * 32, "cc" * 32, "dd" * 32
DIGESTS = {"bundle": BUNDLE, "plan": PLAN, "report": REPORT}
RESULT = Result(
    destination="prod",
    url=None,
    versions={"xfer": "0.1.0", "server": "3.8.8"},
    policies={"on-conflict": "skip"},
    approved_by=("bob",),
    signers=(VerifiedSigner(("alice",), "ssh-ed25519", "SHA256:x"),),
    account=(Ending("flow:etl", "succeeded", "created"), Ending("variable:x", "skipped", "exists-same")),
    found=CONTENT,
)


def test_an_approval_is_an_in_toto_statement() -> None:
    """Word for word."""
    assert statements.approval(DIGESTS, "alice", "looks good").decode() == (
        '{"_type":"https://in-toto.io/Statement/v1",'
        '"predicate":{"message":"looks good","principal":"alice"},'
        '"predicateType":"urn:xfer:predicate:approval-1",'
        f'"subject":[{{"digest":{{"sha256":"{BUNDLE}"}},"name":"bundle"}},'
        f'{{"digest":{{"sha256":"{PLAN}"}},"name":"plan"}},'
        f'{{"digest":{{"sha256":"{REPORT}"}},"name":"report"}}]}}'
    )


def test_an_approval_is_read_back() -> None:
    """Who, what, and of which files."""
    read = statements.read_approval(statements.approval(DIGESTS, "alice", "ö"), "a.json")

    assert read.predicate == statements.Approval("alice", "ö")
    assert read.digests == DIGESTS


def test_a_result_is_read_back() -> None:
    """With its whole account; the file and the content are its subjects, and the plan if there was one."""
    digests = {"bundle": BUNDLE, "content": CONTENT, "plan": PLAN}

    read = statements.read_result(statements.result(digests, RESULT), "r.json")

    assert read.predicate == RESULT
    assert read.digests == digests
    assert list(statements.read_result(statements.result({**digests, "plan": PLAN}, RESULT), "r").digests) == [
        "bundle",
        "content",
        "plan",
    ]


def document(**changed: Any) -> bytes:
    """The document of an approval with changed members; None leaves one out."""
    members = {**msgspec.json.decode(statements.approval(DIGESTS, "alice", "m")), **changed}
    return encode({name: value for name, value in members.items() if value is not None})


def subject(name: str, digest: object) -> dict[str, object]:
    return {"name": name, "digest": {"sha256": digest}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        document(_type="https://in-toto.io/Statement/v0.1"),
        document(_type=None),
        document(predicateType=statements.RESULT),
        document(more=1),
        document(predicate={"message": "m"}),
        document(predicate={"message": "m", "principal": "alice", "more": 1}),
        document(predicate={"message": 5, "principal": "alice"}),
        document(subject=[]),
        document(subject=[subject("bundle", BUNDLE)]),
        document(subject=[subject("plan", PLAN), subject("bundle", BUNDLE)]),
        document(subject=[subject("bundle", BUNDLE), subject("plan", PLAN), subject("plan", PLAN)]),
        document(subject=[subject("bundle", BUNDLE), subject("other", PLAN), subject("plan", PLAN)]),
        document(subject=[subject("bundle", BUNDLE.upper()), subject("plan", PLAN)]),
        document(subject=[subject("bundle", BUNDLE[1:]), subject("plan", PLAN)]),
        document(subject=[{"name": "bundle", "digest": {"sha256": BUNDLE, "sha1": "x"}}, subject("plan", PLAN)]),
        document() + b"\n",
        document().replace(b'"message":"m"', b'"message":"n","message":"m"'),
        document().replace(b'"message":"m"', b'"message":"\\u006d"'),
    ],
    ids=range(22),
)
def test_a_statement_has_one_form(data: bytes) -> None:
    """Unknown, missing and doubled members, other subjects, other spellings."""
    with pytest.raises(Distrusted) as caught:
        statements.read_approval(data, "a.json")

    assert caught.value.reason == Reason.STATEMENT_MALFORMED
    assert caught.value.exit_code == 4


def test_the_maker_of_those_makes_good_ones() -> None:
    """Without a change it is accepted."""
    assert statements.read_approval(document(), "a.json").predicate.principal == "alice"


def test_an_approval_is_no_result() -> None:
    """And the other way round."""
    with pytest.raises(Distrusted):
        statements.read_result(document(), "a.json")
    with pytest.raises(Distrusted):
        statements.read_approval(statements.result({"bundle": BUNDLE, "content": CONTENT}, RESULT), "r.json")


@pytest.mark.parametrize("changed", [{"bundle": CONTENT}, {"plan": CONTENT}, {"report": CONTENT}, {"content": CONTENT}])
def test_a_statement_is_about_its_files(changed: dict[str, str]) -> None:
    """Another bundle, plan or report, or one that it does not name, is refused by name."""
    statement = statements.read_approval(document(), "a.json")

    assert statements.check_subjects(statement, DIGESTS, "a.json") is statement
    with pytest.raises(Distrusted, match=f"other files: {next(iter(changed))}") as caught:
        statements.check_subjects(statement, {**DIGESTS, **changed}, "a.json")

    assert caught.value.reason == Reason.STATEMENT_FOR_OTHERS


def signer(name: str, *others: str, key: str = "", reason: Reason | None = None) -> Signer:
    return Signer("x.sig", "ssh-ed25519", key or f"SHA256:{name}", () if reason else (name, *others), reason)


def approved(principal: str, *signers: Signer) -> Approved:
    statement = statements.read_approval(statements.approval(DIGESTS, principal, "m"), "a.json")
    return Approved(f"{principal}.json", statement, Verification(signers, len(signers), 1))


MAKER = Verification((signer("maker", "m@x"),), 1, 1)


def test_two_people_are_four_eyes() -> None:
    """Two approvals by two people who did not make the bundle."""
    found = four_eyes([approved("alice", signer("alice")), approved("bob", signer("bob"))], MAKER)

    assert found == FourEyes(("alice", "bob"), (), 2)
    assert require_approvals("env.pxb", found, 2) is found


@pytest.mark.parametrize(
    "approvals",
    [
        [approved("alice", signer("alice"))],
        [approved("alice", signer("alice")), approved("alice", signer("alice"))],
        [approved("alice", signer("alice")), approved("alice", signer("alice", key="SHA256:other"))],
        [approved("alice", signer("alice", "al", key="K")), approved("al", signer("alice", "al", key="K"))],
        [approved("alice", signer("alice")), approved("bob", signer("alice"))],
        [approved("alice", signer("alice")), approved("bob", signer("bob", reason=Reason.SIGNER_EXPIRED))],
        [approved("alice", signer("alice")), approved("maker", signer("maker"))],
        [approved("alice", signer("alice")), approved("bob", signer("bob", key="SHA256:maker"))],
        [approved("alice", signer("alice")), approved("m@x", signer("m@x", key="SHA256:second key"))],
        [approved("alice", signer("alice")), approved("bob")],
    ],
)
def test_one_person_is_not_four_eyes(approvals: list[Approved]) -> None:
    """Not twice, not with two keys or two names, not for somebody else, and not as the bundle's own signer."""
    found = four_eyes(approvals, MAKER)

    assert found.people == 1
    with pytest.raises(Distrusted, match="1 of 2") as caught:
        require_approvals("env.pxb", found, 2)

    assert caught.value.reason == Reason.TOO_FEW_APPROVALS


def test_nobody_approved() -> None:
    """Without any approval nothing is said of others."""
    with pytest.raises(Distrusted) as caught:
        require_approvals("env.pxb", four_eyes([], MAKER), 1)

    assert caught.value.message.endswith("are required: 0 of 1")


def test_who_was_passed_over_is_told_why() -> None:
    """By file."""
    found = four_eyes([approved("bob", signer("alice")), approved("maker", signer("maker"))], MAKER)

    assert found.passed_over == (("bob.json", "not signed by bob"), ("maker.json", "maker signed the bundle"))


def test_an_unsigned_bundle_has_no_maker() -> None:
    """Then everybody may approve."""
    assert four_eyes([approved("maker", signer("maker"))], None).people == 1
