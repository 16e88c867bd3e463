"""A file as the destination: plans without a connection, and an import that does such a plan or nothing."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from typing import Any, NoReturn

import httpx
import pytest

OPENAPI = {"openapi": "3.1.0", "paths": {"/variables/": {"post": {}}}, "components": {"schemas": {}}}


def patched(server: Any, request: httpx.Request) -> httpx.Response | None:
    """The answer to a change of the only variable of a server."""
    if request.method != "PATCH":
        return None
    server.variables[0].update(json.loads(request.content))
    return httpx.Response(204)


def answering(document: Any, version: str = "3.8.8") -> Any:
    """What makes a server serve an OpenAPI document and a version."""
    known = {"/api/openapi.json": document, "/api/admin/version": version}

    def answer(request: httpx.Request) -> httpx.Response | None:
        return httpx.Response(200, json=known[request.url.path]) if request.url.path in known else None

    return answer


@pytest.fixture
def states(shell: Any) -> Any:
    """A bundle of server a; server b with another value, its lean state and its export."""
    shell.bundle()
    shell.b.add("region", "us")
    shell.b.answer = answering(OPENAPI)
    for command in (("export", "--state", "-o", "lean.pxb"), ("export", "-o", "whole.pxb")):
        ended = shell(*command, "--from", "b")
        assert ended.code == 0, ended.err
    return shell


def no_socket(*_: object, **__: object) -> NoReturn:
    raise AssertionError("a command that reads only files opened a socket")


@pytest.mark.parametrize("state", ["lean.pxb", "whole.pxb"])
def test_a_plan_against_a_state_is_that_against_its_server(states: Any, state: str) -> None:
    """The same actions, counts and exit codes as against the server; a lean state cannot say where things differ."""
    there = states("plan", "env.pxb", "--to", "b", "--exit-code", "--json")
    here = states("plan", "env.pxb", "--to", state, "--exit-code", "--json")

    assert (here.code, here.document["summary"]) == (there.code, there.document["summary"])
    kept = ("key", "action", "reason")
    assert [[each[name] for name in kept] for each in here.document["resources"]] == [
        [each[name] for name in kept] for each in there.document["resources"]
    ]
    shown = states("plan", "env.pxb", "--to", state).out
    assert ("      - us\n      + eu\n" in shown) == (state == "whole.pxb")
    assert ("the state does not show where" in shown) == (state == "lean.pxb")


@pytest.mark.parametrize("state", ["lean.pxb", "whole.pxb"])
@pytest.mark.parametrize("policy", ["skip", "update"])
def test_a_plan_made_without_a_connection_is_done_exactly(states: Any, state: str, policy: str) -> None:
    """Where the destination still is that state, the import writes what the plan says, and a second one nothing."""
    options = ("env.pxb", "--on-conflict", policy)
    served = states.b.answer
    states.b.answer = lambda request: served(request) or patched(states.b, request)
    planned = states("plan", *options, "--to", state, "-o", "plan.json", "--json").document
    done = states("import", *options, "--to", "b", "--plan", "plan.json", "--json")

    assert (done.code, len(states.b.writes)) == (0, 1 + (policy == "update"))
    assert [each["action"] for each in done.document["resources"]] == [each["action"] for each in planned["resources"]]
    assert states("import", *options, "--to", "b", "--plan", "plan.json").code == 0
    assert len(states.b.writes) == 1 + (policy == "update")


@pytest.mark.parametrize("state", ["lean.pxb", "whole.pxb"])
def test_a_plan_for_a_state_that_is_no_more_is_refused(states: Any, state: str) -> None:
    """What was edited at the destination since is named, and nothing is written."""
    states("plan", "env.pxb", "--to", state, "-o", "plan.json")
    states.b.variables[0]["value"] = "asia"
    states.b.requests.clear()

    ended = states("import", "env.pxb", "--to", "b", "--plan", "plan.json")
    assert (ended.code, states.b.writes) == (1, [])
    assert "changed since the plan: variable:region (changed at the destination)" in ended.err


@pytest.mark.parametrize(
    ("document", "version", "moved"),
    [
        (OPENAPI, "3.9.1", "version: 3.8.8, now 3.9.1"),
        ({**OPENAPI, "paths": {}}, "3.8.8", "variable: not offered any more"),
        ({**OPENAPI, "info": {}}, "3.8.8", "what it takes (OpenAPI document): "),
    ],
)
def test_a_plan_for_a_server_that_offers_something_else_is_refused(
    states: Any, document: Any, version: str, moved: str
) -> None:
    """Another version or other fields: the destination is not what was planned for, and nothing is written."""
    states("plan", "env.pxb", "--to", "lean.pxb", "-o", "plan.json")
    states.b.answer = answering(document, version)
    states.b.requests.clear()

    ended = states("import", "env.pxb", "--to", "b", "--plan", "plan.json")
    assert (ended.code, states.b.writes) == (1, [])
    assert moved in ended.err


def test_a_lean_state_has_keys_and_digests_only(states: Any) -> None:
    """No value, no URL; it says what the server offers, and is no bundle to import or to switch on."""
    shown = states("inspect", "lean.pxb", "--json").document
    assert set(shown["bundle"]["provenance"]) == {"consistent", "created", "server", "tool"}
    assert shown["bundle"]["provenance"]["server"]["version"] == "3.8.8"
    assert shown["bundle"]["provenance"]["server"]["tier"] == "self-hosted"
    assert len(shown["bundle"]["provenance"]["server"]["openapi"]) == 64
    assert states("verify", "lean.pxb").code == 0
    for command in ("import", "plan", "activate"):
        ended = states(command, "lean.pxb", "--to", "b")
        assert (ended.code, "keys and digests only" in ended.err) == (4, True)
    for refused in (("--redact",), ("--include", "variable:region"), ("--tier", "pro")):
        assert states("export", "--from", "b", "--state", "-o", "again.pxb", *refused).code == 64
    assert states("export", "--from", "b", "--tier", "pro", "-o", "again.pxb").code == 64


@pytest.mark.parametrize("state", ["lean.pxb", "whole.pxb"])
def test_verify_and_diff_take_a_state(states: Any, state: str) -> None:
    """Exit code 2 where the state differs from the bundle, 0 where it does not."""
    assert states("verify", "env.pxb", "--to", state).code == 2
    assert states("verify", "whole.pxb", "--to", state).code == 0
    changed = states("diff", "env.pxb", state, "--json")
    assert (changed.code, changed.document["summary"]["changed"], changed.document["summary"]["removed"]) == (2, 1, 1)
    assert states("diff", "lean.pxb", "b").code == 0


@pytest.mark.parametrize("state", ["lean.pxb", "whole.pxb"])
def test_check_takes_files_for_both_sides(states: Any, state: str) -> None:
    """Nothing is connected to, nothing is estimated; versions, counts and what is lost are compared."""
    states.a.requests.clear()
    states.b.requests.clear()
    ended = states("check", "--from", "env.pxb", "--to", state)
    assert (ended.code, ended.last_line) == (0, "5 ok, 0 warnings, 0 failed")
    assert "  variable                            2            1\n" in ended.out
    assert "about" not in ended.out
    assert states.a.requests == states.b.requests == []
    mixed = states("check", "--from", state, "--to", "a", "--json")
    assert [each["command"] for each in mixed.document["estimates"]] == ["import"]
    assert states("check", "--from", "env.pxb", "--to", state, "--tier", "pro").code == 64


def test_check_names_what_a_bundle_uses_and_a_state_does_not_take(states: Any) -> None:
    """By the fields that are in the bundle, and those that the state says of its server."""
    body: Any = {"content": {"application/json": {"schema": {"properties": {"name": {}, "tags": {}}}}}}
    paths = {"/variables/": {"post": {"requestBody": body}}}
    states.b.answer = answering({**OPENAPI, "paths": paths})
    assert states("export", "--from", "b", "--state", "-o", "older.pxb").code == 0
    ended = states("check", "--from", "env.pxb", "--to", "older.pxb")
    assert (ended.code, "not taken by the destination: variable value" in ended.out) == (0, True)


def test_a_state_is_no_server(states: Any) -> None:
    """Where something is written, a file in its place is wrong usage, told as what it is."""
    for command in (("import", "env.pxb"), ("transfer", "--from", "a"), ("activate", "env.pxb")):
        ended = states(*command, "--to", "lean.pxb")
        assert (ended.code, "lean.pxb is a file, and this needs a server" in ended.err) == (64, True)


def test_a_part_of_an_environment_is_no_state(states: Any) -> None:
    """What was not exported would be planned as missing: refused by plan, verify and check, not by diff."""
    assert states("export", "--from", "b", "--include", "variable:region", "-o", "part.pxb").code == 0
    for command in (("plan", "env.pxb"), ("verify", "env.pxb"), ("check",)):
        ended = states(*command, "--to", "part.pxb")
        assert (ended.code, "only a part of an environment" in ended.err) == (4, True)
    assert states("diff", "env.pxb", "part.pxb").code == 2


def test_what_reads_only_files_opens_no_socket(states: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a state as destination, and wherever only files are named, nothing is connected to anything."""
    monkeypatch.setattr(socket, "socket", no_socket)
    commands = (
        ("plan", "env.pxb", "--to", "lean.pxb", "-o", "plan.json"),
        ("verify", "env.pxb", "--to", "whole.pxb"),
        ("diff", "env.pxb", "lean.pxb"),
        ("check", "--from", "env.pxb", "--to", "lean.pxb"),
        ("inspect", "lean.pxb"),
        ("verify", "env.pxb"),
        ("secrets", "template", "env.pxb"),
    )
    for command in commands:
        assert states(*command).code in {0, 2}


NO_NETWORK = ("unshare", "--map-root-user", "--net")
HAS_NAMESPACES = shutil.which("unshare") and subprocess.run([*NO_NETWORK, "true"], check=False).returncode == 0


@pytest.mark.skipif(
    not HAS_NAMESPACES,
    reason="LEFT OUT: there are no network namespaces here, so nothing proves that no network is needed",
)
@pytest.mark.parametrize(
    "command",
    [
        ("plan", "env.pxb", "--to", "lean.pxb"),
        ("verify", "env.pxb", "--to", "lean.pxb"),
        ("check", "--from", "env.pxb", "--to", "lean.pxb"),
        ("diff", "env.pxb", "lean.pxb"),
    ],
    ids=lambda command: command[0],
)
def test_no_network_is_needed(states: Any, command: tuple[str, ...]) -> None:
    """In a network namespace without interfaces, every command that takes a state does its work."""
    assert states.directory.samefile(".")
    xfer = (sys.executable, "-m", "bundle", *command)
    assert subprocess.run([*NO_NETWORK, *xfer], capture_output=True, check=False).returncode in {0, 2}


def test_an_interrupted_plan_goes_on(states: Any) -> None:
    """What the plan was to make and is there already is no difference; the rest is made."""
    states("plan", "env.pxb", "--to", "lean.pxb", "-o", "plan.json")
    states.b.add("retries", 3)
    assert states("import", "env.pxb", "--to", "b", "--plan", "plan.json").code == 0
    assert states.b.writes == []
    states.b.variables[-1]["value"] = 4
    ended = states("import", "env.pxb", "--to", "b", "--plan", "plan.json")
    assert (ended.code, "variable:retries (made)" in ended.err) == (1, True)


def test_what_is_there_must_be_what_was_planned(states: Any) -> None:
    """That the destination has what is wanted now does not do, if something else was wanted in the plan."""
    states("plan", "env.pxb", "--to", "lean.pxb", "-o", "plan.json")
    states.b.add("retries", 5)
    options = ("--plan", "plan.json", "--set", "variable:retries=5")
    ended = states("import", "env.pxb", "--to", "b", *options)
    assert (ended.code, "variable:retries (wanted otherwise)" in ended.err) == (1, True)


def test_what_to_do_next_names_no_file_as_a_server(states: Any) -> None:
    """An inert plan against a state says how to go on where the server is, whatever that is called there."""
    ended = states("plan", "env.pxb", "--to", "lean.pxb", "--inert")
    assert "  xfer activate env.pxb --to DESTINATION\n" in ended.out
