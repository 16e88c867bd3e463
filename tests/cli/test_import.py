"""xfer import: the sum, what is refused, and what an interruption leaves."""

from __future__ import annotations

import os
import signal
from typing import Any

import httpx
import pytest

from bundle.container.reader import read_bundle
from bundle.model import Finding


def test_export_import_and_import_again(shell: Any) -> None:
    """A first import makes everything, a second one nothing, and the last line says so."""
    exported = shell("export", "--from", "a", "-o", "env.pxb")
    assert (exported.code, exported.last_line) == (0, "2 exported, 0 left out (2 of 2 accounted for)")
    first = shell("import", "env.pxb", "--to", "b")
    assert (first.code, first.last_line) == (0, "2 succeeded, 0 skipped, 0 failed (2 of 2 accounted for)")
    writes = len(shell.b.writes)
    second = shell("import", "env.pxb", "--to", "b")
    assert (second.code, second.last_line) == (0, "0 succeeded, 2 skipped, 0 failed (2 of 2 accounted for)")
    assert len(shell.b.writes) == writes == 2


def test_damaged_bundle_is_refused_before_any_request(shell: Any) -> None:
    """One changed byte ends an import with exit code 4, and the destination hears nothing."""
    data = bytearray((shell.directory / shell.bundle()).read_bytes())
    data[len(data) // 2] ^= 1
    (shell.directory / "env.pxb").write_bytes(data)
    for arguments in (("import", "env.pxb", "--to", "b"), ("verify", "env.pxb"), ("inspect", "env.pxb")):
        assert shell(*arguments).code == 4
    assert shell.b.requests == []


def test_denied_writes(shell: Any) -> None:
    """When a server lets us read and then denies every write, nothing is left out of the account."""
    shell.bundle()
    shell.b.answer = lambda request: httpx.Response(403) if request.url.path == "/api/variables/" else None
    ended = shell("import", "env.pxb", "--to", "b", "--json")
    assert ended.code in {3, 5}
    assert (ended.document["summary"]["failed"], ended.document["summary"]["accounted_for"]) == (2, 2)


def test_refused_resource(shell: Any) -> None:
    """One refused resource fails alone: exit code 3, its key and the reason in the text."""
    shell.bundle()

    def answer(request: httpx.Request) -> httpx.Response | None:
        is_it = request.url.path == "/api/variables/" and b"retries" in request.content
        return httpx.Response(422, json={"detail": "no"}) if is_it else None

    shell.b.answer = answer
    ended = shell("import", "env.pxb", "--to", "b")
    assert ended.code == 3
    assert "rejected (1): refused by the destination\n  variable:retries" in ended.out
    *_, counts, why = ended.out.splitlines()
    assert counts == "1 succeeded, 0 skipped, 1 failed (2 of 2 accounted for)"
    assert why.startswith("exit code 3 (1 failed): ")


def test_a_conflict_can_stop_an_import(shell: Any) -> None:
    """With --on-conflict fail nothing is written once anything differs, and the message names it."""
    file = shell.bundle()
    assert shell("import", file, "--to", "b", "--on-conflict", "fail").code == 0
    shell.b.variables[0]["value"] = "edited"

    ended = shell("import", file, "--to", "b", "--on-conflict", "fail")

    assert ended.code == 1
    assert "variable:region" in ended.err
    assert "--on-conflict skip" in ended.err


def test_findings_of_the_export_are_repeated_at_import(shell: Any) -> None:
    """What the export found suspicious is shown again by the import."""
    shell.a.add("token", "ghp_" + "x" * 36)
    assert "secret-suspected (1)" in shell("import", shell.bundle(), "--to", "b").out
    findings = read_bundle(shell.directory / "env.pxb").manifest.findings
    assert findings == (Finding("secret-suspected", "variable:token", "/value"),)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_interrupt_ends_with_an_account(shell: Any, number: signal.Signals) -> None:
    """After the first Ctrl-C or SIGTERM nothing new is begun, the account is printed, and the exit code is 130."""
    shell.bundle()
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)]

    def interrupt(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/api/variables/":
            os.kill(os.getpid(), number)
            return httpx.Response(409)  # makes it look again, so that the signal arrives before the end
        return None

    shell.b.answer = interrupt
    ended = shell("import", "env.pxb", "--to", "b", "--json")
    assert ended.code == 130
    assert ended.document["error"]["code"] == "Interrupted"
    assert (ended.document["summary"]["accounted_for"], ended.document["summary"]["total"]) == (2, 2)
    assert "stopping after the requests in flight" in ended.err
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    shell.b.answer = lambda _: None
    assert shell("import", "env.pxb", "--to", "b").code == 0
    assert len(shell.b.variables) == 2
