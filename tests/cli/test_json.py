"""--json: one document of the published form, for every command and on every path."""

from __future__ import annotations

import json
import tempfile
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import httpx
import jsonschema
import pytest

from bundle import cli
from bundle.archive.directories import DirectoryStore
from bundle.archive.probe import initialize
from bundle.cli import COMMANDS, connection
from bundle.operations.demo import Check
from bundle.server import processes
from bundle.server.target import Target
from support.commands import GOLDEN
from support.fake_prefect import FakePrefect
from support.offline import api_of
from support.signers import person

ROOT = Path(__file__).parents[2]
VALIDATOR = jsonschema.Draft202012Validator(json.loads((ROOT / "schemas" / "report-1.schema.json").read_text()))

# How each command is called when all is well, and the exit code then.
WELL: dict[str, tuple[tuple[str, ...], int]] = {
    "export": (("--from", "a", "-o", "new.pxb"), 0),
    "import": (("env.pxb", "--to", "b"), 0),
    "transfer": (("--from", "a", "--to", "b"), 0),
    "plan": (("env.pxb", "--to", "b", "--exit-code"), 2),
    "inspect": (("env.pxb",), 0),
    "verify": (("env.pxb", "--to", "b"), 2),
    "diff": (("env.pxb", "b"), 2),
    "activate": (("env.pxb", "--to", "b"), 0),
    "deactivate": (("--from", "a", "-o", "state.pxb"), 0),
    "rollback": (("made.receipt", "--to", "b"), 0),
    "check": (("--from", "a", "--to", "b"), 0),
    "profiles": ((), 0),
    "split": (("profiles.toml", "--size", "100"), 0),
    "sign": (("plan.json", "--key", "key"), 0),
    "archive": (("snapshot", "--from", "a", "--store", "store"), 0),
    "approve": (("env.pxb", "--plan", "plan.json", "--key", "key", "--as", "alice", "-m", "fine"), 0),
    "result": (("verify", "result.json", "--bundle", "env.pxb"), 0),
    "secrets": (("template", "env.pxb"), 0),
    "demo": ((), 0),
}
EVERY = pytest.mark.parametrize("name", COMMANDS)


def document(ended: Any) -> Any:
    """The one document on stdout, which must be valid and say the exit code."""
    assert [error.message for error in VALIDATOR.iter_errors(ended.document)] == []
    assert ended.document["exit_code"] == ended.code
    return ended.document


def error(ended: Any) -> tuple[int, str]:
    """Exit code and kind of error, which must have a message and a hint."""
    found = document(ended)
    assert found["ok"] is False
    assert all(found["error"][each] for each in ("code", "message", "hint"))
    return ended.code, found["error"]["code"]


@pytest.fixture
def ready(shell: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shell with a bundle and a receipt, whose demo runs on servers without a network."""
    shell.bundle()
    told = ("--receipt", "made.receipt", "--result", "result.json")
    assert shell("import", "env.pxb", "--to", "b", *told).code == 0
    assert shell("plan", "env.pxb", "--to", "b", "-o", "plan.json").code == 0
    person("ed25519").write(Path("key"))
    initialize(DirectoryStore(Path("store")), "0123456789ab")
    shell.b.variables.clear()
    # The first one is filled, with everything on, by the demo itself.
    filled = FakePrefect(seed=1, keeps_promises=False)
    fakes = {"http://fake-a/api": filled, "http://fake-b/api": FakePrefect(seed=2)}

    def connect(target: Target) -> Any:
        return api_of(fakes[target.url]) if target.url in fakes else shell.connect(target)

    monkeypatch.setattr(connection, "connect", connect)
    monkeypatch.setattr(processes, "find_prefect", lambda: Path("prefect"))
    monkeypatch.setattr(processes, "start_many", lambda _: [nullcontext(SimpleNamespace(url=url)) for url in fakes])
    return shell


def call(shell: Any, name: str, *more: str) -> Any:
    return shell(name, *WELL[name][0], *more, "--json")


def leaf(name: str) -> click.Command:
    """The command that is run in the end: of a group, the one that ``WELL`` names."""
    context = click.Context(cli.xfer)
    found = cli.xfer.get_command(context, name)
    assert found is not None
    return found.commands[WELL[name][0][0]] if isinstance(found, click.Group) else found


def parameters(name: str) -> set[str]:
    return {str(each.name) for each in leaf(name).params}


def test_every_command_is_here() -> None:
    """A new command has to be entered above, and so is tested on every path."""
    assert WELL.keys() == COMMANDS.keys()


@EVERY
def test_success(ready: Any, name: str) -> None:
    """What went well, and what was found to differ, is one document."""
    found = document(call(ready, name))
    assert (found["exit_code"], found["ok"], found["error"]) == (WELL[name][1], True, None)
    assert found["command"].partition(" ")[0] == name


@EVERY
def test_wrong_usage(ready: Any, name: str) -> None:
    """An unknown option is one document, exit code 64."""
    assert error(call(ready, name, "--nonsense")) == (64, "UsageError")


@EVERY
def test_a_bundle_that_is_refused(ready: Any, name: str) -> None:
    """A damaged bundle is one document, exit code 4, for every command that reads one."""
    Path("env.pxb").write_bytes(b"damaged")
    if "env.pxb" in WELL[name][0]:
        assert error(call(ready, name)) == (4, "Corrupt")
    else:
        assert not parameters(name) & {"bundle", "older"}


@EVERY
def test_a_server_that_is_away(ready: Any, name: str) -> None:
    """A server that does not answer is one document, exit code 5, for every command that asks one."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    ready.a.answer = ready.b.answer = refuse
    if parameters(name) & {"source", "destination", "older"}:
        found = document(call(ready, name))
        assert (found["exit_code"], found["ok"]) == (5, False)
        assert found["error"] or found["checks"] or found["resources"]
    else:
        assert call(ready, name).code == 0


@EVERY
def test_an_interruption(ready: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is one document, exit code 130."""
    monkeypatch.setattr(leaf(name), "callback", raising(KeyboardInterrupt()))
    assert error(call(ready, name)) == (130, "Interrupted")


@EVERY
def test_a_bug(ready: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unexpected exception is one document, exit code 70."""
    monkeypatch.setattr(leaf(name), "callback", raising(KeyError("canary")))
    monkeypatch.setattr(tempfile, "tempdir", str(ready.directory))
    assert error(call(ready, name)) == (70, "Bug")


def raising(error: BaseException) -> Any:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("export", "--from", "a", "-o", "env.pxb"), (1, "OutputError")),
        (("deactivate", "--from", "a", "-o", "env.pxb"), (1, "OutputError")),
        (("deactivate", "--from", "a"), (64, "UsageError")),
        (("deactivate", "--from", "a", "-o", "-"), (64, "UsageError")),
        (("import", GOLDEN, "--to", "b", "--missing-secrets", "fail"), (6, "SecretMissing")),
        (("export", "--from", "nobody", "-o", "x.pxb"), (64, "ProfileError")),
        (("rollback", "none", "--to", "b"), (1, "BundleError")),
        (("verify", "none.pxb"), (4, "BundleRejected")),
        (("nonsense",), (64, "UsageError")),
        ((), (64, "UsageError")),
    ],
)
def test_other_errors(ready: Any, arguments: tuple[str, ...], code: tuple[int, str]) -> None:
    """Errors of other classes are one document too."""
    assert error(ready(*arguments, "--json")) == code


def test_a_demo_says_what_has_held(ready: Any) -> None:
    """Every claim of the demo has a line."""
    ended = ready("demo")
    assert (ended.code, ended.out.count("passed  "), ended.out.count("FAILED")) == (0, 5, 0)


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_demo_that_fails_says_so(ready: Any, monkeypatch: pytest.MonkeyPatch, more: tuple[str, ...]) -> None:
    """A claim of the demo that does not hold is exit code 1, in the document and in the text."""
    monkeypatch.setattr("bundle.cli.commands.demo.checks", failing)
    ended = ready("demo", *more)
    assert ended.code == 1
    assert document(ended)["summary"] == {"ok": 0, "failed": 1} if more else "FAILED  nothing" in ended.out


def failing(_trip: Any) -> tuple[Check, ...]:
    return (Check("nothing", holds=False),)
