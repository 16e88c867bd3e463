"""What became of a bundle, signed and carried back, and who approved what is done with it."""

from __future__ import annotations

import json
import signal
import socket
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest

from bundle.record.canonical import encode
from support.signers import person

ALICE, BOB, CAROL, MALLORY = (person("ed25519", number) for number in range(1, 5))
SIGNERS = ("--allowed-signers", "signers")
BOB_SIGNED = Path("env.pxb.approval.bob.json.sig")
STEP = 61
"""Bits between two that are flipped: prime, so that in the end each of a byte is."""
NEEDED = (*SIGNERS, "--approvers", "signers", "--require-approvals")
PLANNED = ("env.pxb", "--to", "b", "--plan", "plan.json")


@pytest.fixture
def ready(shell: Any) -> Any:
    """A bundle that alice signed, a plan for server b, and a file that allows alice, bob and carol."""
    people = {"alice": ALICE, "bob": BOB, "carol": CAROL}
    for name, each in {**people, "mallory": MALLORY}.items():
        each.write(Path(name))
    Path("signers").write_text("".join(f"{name} {each.line}\n" for name, each in people.items()))
    assert shell("export", "--from", "a", "-o", "env.pxb", "--sign", "alice").code == 0
    assert shell("plan", "env.pxb", "--to", "b", "-o", "plan.json", *SIGNERS).code == 0
    return shell


def approve(shell: Any, name: str, *more: str, principal: str | None = None) -> Any:
    who = ("--key", name, *(() if principal == "" else ("--as", principal or name)))
    return shell("approve", "env.pxb", "--plan", "plan.json", *who, "-m", "looks good", *SIGNERS, *more)


def imported(shell: Any, *more: str) -> Any:
    return shell("import", *PLANNED, *more, "--no-receipt", "--json")


def reason_of(ended: Any) -> str:
    assert ended.code == 4
    return str(ended.document["error"]["reason"])


# -- Results ----------------------------------------------------------------------------------------------------------


def test_a_result_says_what_became_of_everything(ready: Any) -> None:
    """Keys, states and reasons, the digests of what was done, who signed, and what was read back; no ids, no URL."""
    assert imported(ready, *SIGNERS, "--result", "r.json", "--sign", "bob").code == 0
    text = Path("r.json").read_text()
    stated = json.loads(text)

    assert [each["name"] for each in stated["subject"]] == ["bundle", "content", "plan"]
    told = stated["predicate"]
    assert [tuple(each.values()) for each in told["account"]] == [
        ("variable:region", "created", "succeeded"),
        ("variable:retries", "created", "succeeded"),
    ]
    assert told["found"] == stated["subject"][1]["digest"]["sha256"]
    assert (told["destination"], told["url"], told["versions"]["server"]) == ("b", None, "3.8.8")
    assert told["policies"] == {"on-conflict": "skip", "missing-secrets": "placeholder"}
    assert [each["principals"] for each in told["signers"]] == [["alice"]]
    assert not any(each["id"] in text for each in ready.b.variables)
    assert "b.test" not in text

    ended = ready("result", "verify", "r.json", "--bundle", "env.pxb", *SIGNERS)
    assert (ended.code, ended.last_line) == (0, "2 left, 2 are there")


def test_local_edits_are_counted_and_named(ready: Any) -> None:
    """Exit code 2: all is there, and one resource kept what somebody made of it there."""
    ready.b.add("region", "us")
    assert ready("import", "env.pxb", "--to", "b", *SIGNERS, "--result", "r.json", "--with-url").code == 0

    ended = ready("result", "verify", "r.json", "--bundle", "env.pxb")
    assert (ended.code, ended.last_line) == (2, "2 left, 2 are there; 1 kept their local edits")
    assert "~ variable:region  (exists-differs" in ended.out
    told = json.loads(Path("r.json").read_text())
    assert told["predicate"]["url"] == "http://b.test/api"
    assert told["predicate"]["found"] != told["subject"][1]["digest"]["sha256"]


def test_what_is_not_there_or_not_told_of_is_named(ready: Any) -> None:
    """Exit code 3: a resource that the selection left out, and one that the account does not have."""
    some = ("--include", "variable:region", "--result", "r.json")
    assert ready("import", "env.pxb", "--to", "b", *SIGNERS, *some).code == 0
    ended = ready("result", "verify", "r.json", "--bundle", "env.pxb")
    assert (ended.code, ended.last_line) == (3, "2 left, 1 are there; 1 are not there")

    data = Path("r.json").read_bytes()
    start = data.index(b',{"key":"variable:retries"')
    Path("short.json").write_bytes(data[:start] + data[data.index(b"}", start) + 1 :])
    ended = ready("result", "verify", "short.json", "--bundle", "env.pxb")
    assert (ended.code, ended.last_line) == (3, "2 left, 1 are there; 1 unaccounted for")


def test_an_account_that_was_made_up_is_seen_through(ready: Any) -> None:
    """A resource told of twice, one that never left, a reason that nobody knows: counted, named and harmless."""
    assert ready("import", "env.pxb", "--to", "b", *SIGNERS, "--result", "r.json").code == 0
    stated = json.loads(Path("r.json").read_text())
    account = stated["predicate"]["account"]
    account[0] |= {"state": "failed", "reason": "od\x1b[31md"}
    account += [account[1], {"key": "variable:of nobody", "state": "succeeded", "reason": "created"}]
    Path("r.json").write_bytes(encode(stated))

    ended = ready("result", "verify", "r.json", "--bundle", "env.pxb")
    assert ended.code == 3
    assert ended.last_line == "2 left, 0 are there; 1 are not there; 1 unaccounted for; 1 of no known resource"
    assert "! variable:region  (od\\x1b[31md)\n" in ended.out
    assert "! variable:of nobody  (unknown: the bundle has no such resource)\n" in ended.out


def test_a_result_that_nobody_may_trust_is_refused(ready: Any) -> None:
    """Of another bundle, unsigned where signatures are asked for, by a stranger, or altered: exit code 4."""
    assert imported(ready, *SIGNERS, "--result", "r.json", "--sign", "bob").code == 0
    check = ("result", "verify", "r.json", "--json", "--bundle")
    ready.a.add("zone", 1)
    ready.bundle("other.pxb")
    assert reason_of(ready(*check, "other.pxb", *SIGNERS)) == "statement-for-other-files"

    data = Path("r.json").read_bytes()
    for altered in (data.replace(b"succeeded", b"skipped"), data + b" ", data[:-1]):
        Path("r.json").write_bytes(altered)
        assert reason_of(ready(*check, "env.pxb", *SIGNERS)) == "signature-wrong"
    Path("r.json").write_bytes(data)
    Path("r.json.sig").unlink()
    assert reason_of(ready(*check, "env.pxb", *SIGNERS)) == "signature-missing"


def test_a_result_that_cannot_be_signed_is_told_all_the_same(ready: Any) -> None:
    """What was done is reported and written; the exit code says that the signature is missing."""
    Path("broken").write_text("no key")
    ended = imported(ready, *SIGNERS, "--result", "r.json", "--sign", "broken")
    assert (ended.code, ended.document["summary"]["succeeded"]) == (1, 2)
    assert "r.json: written, but not signed" in ended.document["error"]["message"]
    assert not Path("r.json.sig").exists()
    assert ready("sign", "r.json", "--key", "bob").code == 0
    assert ready("result", "verify", "r.json", "--bundle", "env.pxb", *SIGNERS).code == 0


def test_a_destination_that_is_not_read_back_is_told_so(ready: Any) -> None:
    """Where it does not answer any more after the import: the account is there, without a digest of what was found."""
    ready.b.answer = lambda request: (
        httpx.Response(500)
        if ready.b.writes and request.method == "POST" and (request.url.path.endswith("/filter"))
        else None
    )
    assert imported(ready, *SIGNERS, "--result", "r.json").code == 0
    assert json.loads(Path("r.json").read_text())["predicate"]["found"] is None
    ended = ready("result", "verify", "r.json", "--bundle", "env.pxb")
    assert (ended.code, "was not read back" in ended.out) == (0, True)


def test_a_transfer_has_a_result_too(ready: Any) -> None:
    """About the bundle that it keeps; without one there is nothing to be about."""
    both = ("transfer", "--from", "a", "--to", "b", "--unverified", "--result", "r.json")
    assert ready(*both).code == 64
    assert ready(*both, "-o", "kept.pxb", "--sign", "bob").code == 0
    ended = ready("result", "verify", "r.json", "--bundle", "kept.pxb", *SIGNERS)
    assert (ended.code, ended.last_line) == (0, "2 left, 2 are there")


def test_an_interrupted_import_has_a_result(ready: Any) -> None:
    """What was done, and what was not attempted; the destination is not read back."""

    def interrupt(request: httpx.Request) -> httpx.Response | None:
        if request.url.path != "/api/variables/":
            return None
        signal.raise_signal(signal.SIGTERM)
        return httpx.Response(409)  # makes it look again, so that the signal arrives before the end

    ready.b.answer = interrupt
    ended = imported(ready, *SIGNERS, "--result", "r.json", "--sign", "bob")
    told = json.loads(Path("r.json").read_text())["predicate"]
    assert (ended.code, told["found"], len(told["account"])) == (130, None, 2)
    assert {each["state"] for each in told["account"]} <= {"not_tried", "failed"}
    verified = ready("result", "verify", "r.json", "--bundle", "env.pxb", *SIGNERS)
    assert (verified.code, verified.last_line) == (3, "2 left, 0 are there; 2 are not there")
    assert "was not read back" in verified.out


def test_a_url_is_no_name(ready: Any) -> None:
    """A destination that is named by its URL stays unnamed in a result."""
    there = ("import", "env.pxb", "--to", "http://b.test/api", *SIGNERS, "--result", "r.json")
    assert ready(*there).code == 0
    assert json.loads(Path("r.json").read_text())["predicate"]["destination"] is None
    assert "b.test" not in Path("r.json").read_text()
    assert "at the destination\n" in ready("result", "verify", "r.json", "--bundle", "env.pxb").out


def test_a_result_is_asked_for_before_anything_is_done(ready: Any) -> None:
    """A file that is there, a dry run, or a key without a result: nothing is requested."""
    Path("there.json").write_text("")
    ready.b.requests.clear()
    assert imported(ready, *SIGNERS, "--result", "there.json").code == 1
    for wrong in (("--result", "r.json", "--dry-run"), ("--sign", "bob"), ("--with-url",)):
        assert imported(ready, *SIGNERS, *wrong).code == 64
    assert ready.b.requests == []


# -- Approvals --------------------------------------------------------------------------------------------------------


def test_enough_people_approved(ready: Any) -> None:
    """Two people who did not sign the bundle: the import is done."""
    for name in ("bob", "carol"):
        assert approve(ready, name).code == 0
    assert Path("env.pxb.approval.bob.json").exists()
    assert Path("env.pxb.approval.bob.json.sig").exists()
    assert imported(ready, *NEEDED, "2").code == 0
    assert len(ready.b.variables) == 2


def test_who_approved_is_told(ready: Any) -> None:
    """In the report of the import, in its result, and where that is read."""
    assert approve(ready, "bob").code == 0
    assert imported(ready, *NEEDED, "1", "--result", "r.json").document["approved_by"] == ["bob"]
    assert json.loads(Path("r.json").read_text())["predicate"]["approved_by"] == ["bob"]
    assert "approved by:     bob\n" in ready("result", "verify", "r.json", "--bundle", "env.pxb").out


@pytest.mark.parametrize("names", [(), ("bob",), ("bob", "alice"), ("bob", "mallory")])
def test_too_few_people_approved(ready: Any, names: tuple[str, ...]) -> None:
    """Nobody, one, the maker of the bundle, a stranger: refused before any request, with why each does not count."""
    for name in names:
        assert approve(ready, name).code == 0
    ready.b.requests.clear()
    ended = imported(ready, *NEEDED, "2")

    assert reason_of(ended) == "too-few-approvals"
    assert ("alice signed the bundle" in ended.err) == ("alice" in names)
    assert ("mallory.json: the key is not in the file" in ended.err) == ("mallory" in names)
    assert ready.b.requests == []


def test_one_person_is_not_two(ready: Any) -> None:
    """The same key under two names, or two approvals of one person, count once."""
    Path("signers").write_text(Path("signers").read_text() + f"dave {BOB.line}\n")
    assert approve(ready, "bob").code == 0
    assert approve(ready, "bob", principal="dave").code == 0
    assert reason_of(imported(ready, *NEEDED, "2")) == "too-few-approvals"


def test_a_second_key_is_no_second_person(ready: Any) -> None:
    """Two keys of one name count once, whatever the approvals call them."""
    Path("approvers").write_text(f"bob {BOB.line}\nbob,robert {CAROL.line}\n")
    assert approve(ready, "bob").code == 0
    assert approve(ready, "carol", principal="robert").code == 0
    needed = (*SIGNERS, "--approvers", "approvers", "--require-approvals")
    assert reason_of(imported(ready, *needed, "2")) == "too-few-approvals"
    assert imported(ready, *needed, "1").code == 0


def test_an_approval_is_not_taken_to_another_bundle(ready: Any) -> None:
    """Copied beside one with the same content and other bytes, or named for it, it does not count."""
    assert approve(ready, "bob").code == 0
    assert ready("export", "--from", "a", "-o", "other.pxb", "--sign", "alice", "--all-owners").code == 0
    for end in ("", ".sig"):
        Path(f"other.pxb.approval.bob.json{end}").write_bytes(Path(f"env.pxb.approval.bob.json{end}").read_bytes())
    ready.b.requests.clear()
    for named in ((), ("--approval", "env.pxb.approval.bob.json")):
        ended = ready("import", "other.pxb", *PLANNED[1:], *NEEDED, "1", *named, "--json")
        assert (reason_of(ended), "it is about other files" in ended.err) == ("too-few-approvals", True)
    assert ready.b.requests == []


def test_what_is_approved_are_files(ready: Any) -> None:
    """Not a snapshot in a store, beside which nothing can be put; its approvals are named."""
    assert ready("archive", "init", "store").code == 0
    made = ready("archive", "snapshot", "--from", "a", "--store", "store", "--sign", "alice")
    assert made.code == 0, made.err
    assert ready("approve", "store//a@latest", "--plan", "plan.json", "--key", "bob", "-m", "x", *SIGNERS).code == 64
    ended = ready("import", "store//a@latest", *PLANNED[1:], *NEEDED, "1", "--no-receipt", "--json")
    assert reason_of(ended) == "too-few-approvals"


@pytest.mark.parametrize("end", ["", ".sig"])
def test_an_altered_approval_is_refused_beside_enough_good_ones(ready: Any, end: str) -> None:
    """Somebody has tampered with it: that is not passed over, however many approve."""
    for name in ("bob", "carol"):
        assert approve(ready, name).code == 0
    path = Path(f"env.pxb.approval.carol.json{end}")
    path.write_bytes(path.read_bytes().replace(b"looks good", b"looks fine") if not end else BOB_SIGNED.read_bytes())
    assert reason_of(imported(ready, *NEEDED, "1")) == "signature-wrong"


def test_an_approval_needs_no_name(ready: Any) -> None:
    """Without one it is called by the fingerprint of the key, and counts for whom the approvers' file says that is."""
    assert approve(ready, "bob", principal="").code == 0
    (path,) = Path().glob("env.pxb.approval.SHA256_*.json")
    assert json.loads(path.read_text())["predicate"] == {"message": "looks good", "principal": None}
    assert approve(ready, "alice", principal="").code == 0
    assert reason_of(imported(ready, *NEEDED, "2")) == "too-few-approvals"
    assert imported(ready, *NEEDED, "1").code == 0


def test_who_signed_the_bundle_never_approves_it(ready: Any) -> None:
    """Not even if nobody trusts them to sign bundles, beside somebody who is trusted to."""
    Path("makers").write_text(f"alice {ALICE.line}\n")
    assert ready("sign", "env.pxb", "--key", "carol", "--as", "carol").code == 0
    assert approve(ready, "carol").code == 0
    ended = imported(ready, "--allowed-signers", "makers", "--approvers", "signers", "--require-approvals", "1")
    assert (reason_of(ended), "carol signed the bundle" in ended.err) == ("too-few-approvals", True)


def test_a_revoked_key_does_not_approve(ready: Any) -> None:
    """The revoked keys of a command count for approvals as for bundles."""
    Path("revoked").write_text(f"{BOB.line}\n")
    assert approve(ready, "bob").code == 0
    assert reason_of(imported(ready, *NEEDED, "1", "--revoked", "revoked")) == "too-few-approvals"


def test_an_approval_is_for_one_plan_and_one_bundle(ready: Any) -> None:
    """Of another plan it does not count, and one for another bundle is not made."""
    assert approve(ready, "bob").code == 0
    options = ("--to", "b", "--inert", "-o", "plan.json", "--force", *SIGNERS)
    ready.b.add("region", "us")
    assert ready("plan", "env.pxb", *options).code == 0
    ended = imported(ready, *NEEDED, "1")
    assert (reason_of(ended), "it is about other files" in ended.err) == ("too-few-approvals", True)
    ready.a.add("zone", 1)
    assert ready("export", "--from", "a", "-o", "env.pxb", "--force", "--sign", "alice").code == 0
    assert approve(ready, "carol").code == 1


@pytest.mark.parametrize("name", ["env.pxb.approval.bob.json", "plan.json", "r.json"])
@pytest.mark.parametrize("part", ["", ".sig"])
def test_every_bit_counts(ready: Any, name: str, part: str) -> None:
    """Of approval, plan and result, and of their signatures: with any single bit flipped, nothing is accepted."""
    assert imported(ready, *SIGNERS, "--result", "r.json", "--sign", "bob").code == 0
    assert ready("sign", "plan.json", "--key", "bob").code == 0
    assert approve(ready, "bob").code == 0
    command: tuple[str, ...] = ("import", *PLANNED, *NEEDED, "1")
    if name == "r.json":
        command = ("result", "verify", "r.json", "--bundle", "env.pxb", *SIGNERS)
    path = Path(name + part)
    whole = path.read_bytes()
    ready.b.requests.clear()
    for place in range(0, 8 * len(whole), STEP):
        flipped = bytearray(whole)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert ready(*command).code == 4, place
    path.write_bytes(whole)
    assert ready.b.requests == []
    assert ready(*command).code == 0


def test_a_signed_plan_must_be_signed_right(ready: Any) -> None:
    """By an allowed signer it is done, by a stranger or with a signature of something else it is refused."""
    assert ready("sign", "plan.json", "--key", "mallory").code == 0
    assert reason_of(imported(ready, *SIGNERS)) == "signer-unknown"
    Path("plan.json.sig").write_bytes(Path("env.pxb.sig").read_bytes())
    assert reason_of(imported(ready, *SIGNERS)) == "namespace-wrong"
    assert ready("sign", "plan.json", "--key", "bob", "--force").code == 0
    assert imported(ready, *SIGNERS).code == 0


def test_approvals_need_to_know_of_whom_and_what(ready: Any) -> None:
    """Without a plan, without approvers, or not knowing who signed the bundle: exit code 64."""
    for wrong in (
        ("env.pxb", "--to", "b", *NEEDED, "1"),
        (*PLANNED, *SIGNERS, "--require-approvals", "1"),
        (*PLANNED, "--unverified", "--approvers", "signers", "--require-approvals", "1"),
        (*PLANNED, *SIGNERS, "--approvers", "signers"),
    ):
        assert ready("import", *wrong).code == 64


def test_statements_open_no_socket(ready: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Approving, and reading a result, connect to nothing."""
    assert imported(ready, *SIGNERS, "--result", "r.json").code == 0

    def no_socket(*_: object, **__: object) -> NoReturn:
        raise AssertionError("opened a socket")

    monkeypatch.setattr(socket, "socket", no_socket)
    assert approve(ready, "bob").code == 0
    assert ready("result", "verify", "r.json", "--bundle", "env.pxb").code == 0
