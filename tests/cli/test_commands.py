"""The commands in process: what they print, and the exit code they end with."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundle.cli import COMMANDS
from bundle.cli.commands import export, import_
from bundle.cli.console import Console
from bundle.container.reader import read_bundle
from bundle.errors import AccessDenied, BundleError, UsageError
from bundle.model import Finding, SecretSlot
from bundle.operations import export as operation
from bundle.report.secrets import template
from bundle.server import processes

ROOT = Path(__file__).parents[2]
GOLDEN = str(ROOT / "fixtures" / "golden" / "format-1.0.pxb")
HOSTILE = "\x1b[31mred\u202e[bold]"


def last_line(text: str) -> str:
    return text.splitlines()[-1]


def test_export_import_and_import_again(shell: Any) -> None:
    """A first import makes everything, a second one nothing, and the last line says so."""
    exported = shell("export", "--from", "a", "-o", "env.pxb")
    assert (exported.code, last_line(exported.out)) == (0, "2 exported, 0 left out (2 of 2 accounted for)")
    first = shell("import", "env.pxb", "--to", "b")
    assert (first.code, last_line(first.out)) == (0, "2 succeeded, 0 skipped, 0 failed (2 of 2 accounted for)")
    writes = len(shell.b.writes)
    second = shell("import", "env.pxb", "--to", "b")
    assert (second.code, last_line(second.out)) == (0, "0 succeeded, 2 skipped, 0 failed (2 of 2 accounted for)")
    assert len(shell.b.writes) == writes == 2


def test_progress_names_the_server_first(shell: Any) -> None:
    """The first line on stderr says which server is about to be read."""
    ended = shell("export", "--from", "a", "-o", "env.pxb")
    assert ended.err.splitlines()[0] == "reading a (http://a.test/api)"
    assert "  read variable: 2 of 2" in ended.err.splitlines()


def test_quiet_says_nothing_on_stderr(shell: Any) -> None:
    """With --quiet a run without trouble leaves stderr empty."""
    assert shell("export", "--from", "a", "-o", "env.pxb", "--quiet").err == ""


def test_verbose_and_the_variable_of_prefect_show_the_requests(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """-v and PREFECT_LOGGING_LEVEL=DEBUG log each request to stderr."""
    assert "debug bundle.client: POST /variables/filter: 200" in shell("plan", shell.bundle(), "--to", "b", "-v").err
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "debug")
    assert "debug bundle.client: POST /variables/filter: 200" in shell("plan", "env.pxb", "--to", "b").err


def test_inspect_lists_the_keys_on_request(shell: Any) -> None:
    """-v names every resource, in the text and in the document; without it there are the sums alone."""
    shell.bundle()
    assert "resources (2):\n  variable:region\n  variable:retries\n" in shell("inspect", "env.pxb", "-v").out
    assert "variable:region" not in shell("inspect", "env.pxb").out
    listed = shell("inspect", "env.pxb", "-v", "--json").document["resources"]
    assert {(each["key"], each["action"], each["reason"]) for each in listed} == {
        ("variable:region", "keep", "exported"),
        ("variable:retries", "keep", "exported"),
    }


def test_plan_through_standard_output_and_input(shell: Any) -> None:
    """With - the plan is the only thing on stdout and an import reads it from stdin; no file of that name is made."""
    shell.bundle()
    planned = shell("plan", "env.pxb", "--to", "b", "-o", "-")
    assert (planned.code, last_line(planned.err).startswith("Plan: 2 create")) == (0, True)
    assert planned.document["xfer_plan"] == "1.0"
    assert shell("plan", "env.pxb", "--to", "b", "-o", "-", "--json").code == 64
    assert shell("import", "-", "--to", "b", "--plan", "-", stdin=planned.raw).code == 64
    assert shell("import", "env.pxb", "--to", "b", "--plan", "-", stdin=planned.raw[:-9]).code == 1
    assert shell("import", "env.pxb", "--to", "b", "--plan", "-", stdin=planned.raw).code == 0
    assert len(shell.b.variables) == 2
    assert not (shell.directory / "-").exists()


def test_transfer_copies_and_leaves_no_file(shell: Any) -> None:
    """A transfer moves everything, and without -o its bundle is gone afterwards."""
    ended = shell("transfer", "--from", "a", "--to", "b")
    assert ended.code == 0
    assert last_line(ended.out) == "2 succeeded, 0 skipped, 0 failed (2 of 2 accounted for)"
    assert [row["name"] for row in shell.b.variables] == ["region", "retries"]
    assert list(shell.directory.glob("*.pxb")) == []


def test_transfer_keeps_the_bundle_on_request(shell: Any) -> None:
    """With -o the bundle of a transfer stays, readable by its owner alone."""
    assert shell("transfer", "--from", "a", "--to", "b", "-o", "kept.pxb").code == 0
    assert len(read_bundle(shell.directory / "kept.pxb").records) == 2
    assert (shell.directory / "kept.pxb").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("other", ["a", "a-again", "http://a.test/api"])
def test_same_server_is_refused_before_any_request(shell: Any, other: str) -> None:
    """A transfer from a server to itself is wrong usage, however the server is written."""
    ended = shell("transfer", "--from", "a", "--to", other)
    assert (ended.code, shell.a.requests) == (64, [])
    assert "source and destination are the same server" in ended.err


def test_existing_output_is_refused_before_any_request(shell: Any) -> None:
    """An export does not replace a file, and asks no server before it says so; --force does replace it."""
    (shell.directory / "env.pxb").write_text("mine")
    ended = shell("export", "--from", "a", "-o", "env.pxb")
    assert (ended.code, shell.a.requests) == (1, [])
    assert "hint: choose another name, or replace it with --force" in ended.err
    assert (shell.directory / "env.pxb").read_text() == "mine"
    assert shell("export", "--from", "a", "-o", "env.pxb", "--force").code == 0


def test_bundle_through_standard_output_and_input(shell: Any) -> None:
    """With - the bundle is the only thing on stdout, and an import can read it from stdin."""
    exported = shell("export", "--from", "a", "-o", "-")
    assert "2 exported, 0 left out (2 of 2 accounted for)" in exported.err
    assert shell("verify", "-", stdin=exported.raw).code == 0
    assert shell("import", "-", "--to", "b", stdin=exported.raw).code == 0
    assert len(shell.b.variables) == 2


def test_standard_output_cannot_take_bundle_and_document(shell: Any) -> None:
    """--json with -o - is refused, as JSON, before any request."""
    ended = shell("export", "--from", "a", "-o", "-", "--json")
    assert (ended.code, ended.document["error"]["code"], shell.a.requests) == (64, "UsageError", [])
    assert shell("transfer", "--from", "a", "--to", "b", "-o", "-").code == 64


def test_damaged_bundle_is_refused_before_any_request(shell: Any) -> None:
    """One changed byte ends an import with exit code 4, and the destination hears nothing."""
    data = bytearray((shell.directory / shell.bundle()).read_bytes())
    data[len(data) // 2] ^= 1
    (shell.directory / "env.pxb").write_bytes(data)
    for arguments in (("import", "env.pxb", "--to", "b"), ("verify", "env.pxb"), ("inspect", "env.pxb")):
        assert shell(*arguments).code == 4
    assert shell.b.requests == []


def test_missing_bundle_is_refused(shell: Any) -> None:
    """A bundle that is not there is exit code 4, with a hint."""
    ended = shell("verify", "none.pxb")
    assert (ended.code, ended.err) == (
        4, "xfer: error: none.pxb: cannot be read: no such file or directory\nhint: check the name of the bundle\n",
    )  # fmt: skip


def test_unknown_profile(shell: Any) -> None:
    """An unknown profile is wrong usage, and the hint has the nearest name."""
    ended = shell("export", "--from", "a-agan", "-o", "x.pxb")
    assert ended.code == 64
    assert 'hint: did you mean "a-again"?' in ended.err


def test_ignored_variables_are_named(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection variable that has no effect is named in a warning, its value is not; ``env`` uses it."""
    monkeypatch.setenv("PREFECT_API_KEY", "canary")
    ended = shell("export", "--from", "a", "-o", "env.pxb")
    assert "xfer: warning: PREFECT_API_KEY in the environment: not used" in ended.err
    assert "canary" not in ended.err
    monkeypatch.setenv("PREFECT_API_URL", "http://a.test/api")
    assert "warning" not in shell("export", "--from", "env", "-o", "other.pxb").err


def test_unreachable_server(shell: Any) -> None:
    """A server that cannot be reached is exit code 5, for reading and for the whole of an import."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    shell.bundle()
    shell.a.answer = shell.b.answer = refuse
    assert shell("export", "--from", "a", "-o", "x.pxb").code == 5
    assert shell("import", "env.pxb", "--to", "b").code == 5


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
    assert last_line(ended.out) == "1 succeeded, 0 skipped, 1 failed (2 of 2 accounted for)"


def test_plan_shows_differences_and_writes_nothing(shell: Any) -> None:
    """A plan has a line a resource and both values of a field that differs; --exit-code makes that a 2."""
    shell.bundle()
    shell.b.add("region", "us")
    ended = shell("plan", "env.pxb", "--to", "b")
    assert (ended.code, shell.b.writes) == (0, [])
    assert "~ variable:region  (exists-differs)\n    /value\n      - us\n      + eu\n" in ended.out
    assert "+ variable:retries\n" in ended.out
    assert last_line(ended.out) == (
        "Plan: 1 create, 0 update, 0 delete, 0 unchanged, 1 different (2 of 2 accounted for)"
    )
    assert shell("plan", "env.pxb", "--to", "b", "--exit-code").code == 2
    assert shell("import", "env.pxb", "--to", "b", "--dry-run").out == ended.out.replace("plan", "import")
    assert shell("transfer", "--from", "a", "--to", "b", "--dry-run").code == 0
    assert shell.b.writes == []


def test_diff_reads_like_a_change_log(shell: Any) -> None:
    """A title with both sides, then what was added, removed and changed, and the sum."""
    shell.bundle()
    shell.b.add("region", "us")
    shell.b.add("zone", "z")
    ended = shell("diff", "env.pxb", "b", "--quiet")
    assert ended.code == 2
    assert ended.out == (
        "Changes from env.pxb to b (http://b.test/api)\n\n+ added   - removed   ~ changed\n\n"
        "~ variable:region\n    /value\n      - eu\n      + us\n- variable:retries\n+ variable:zone\n\n"
        "1 added, 1 removed, 1 changed, 0 unchanged (3 of 3 accounted for)\n"
    )


def test_plan_without_differences(shell: Any) -> None:
    """--exit-code gives 0 where the destination has everything as the bundle has it."""
    assert shell("plan", shell.bundle(), "--to", "a", "--exit-code").code == 0


def test_values_that_look_secret_are_not_shown(shell: Any) -> None:
    """Where a differing value looks like a secret, the plan names the place only."""
    shell.a.add("deploy", "ghp_" + "canary" * 6)
    shell.bundle()
    shell.b.add("deploy", "ghp_" + "danger" * 6)
    for extra in ((), ("--json",), ("-v",)):
        ended = shell("plan", "env.pxb", "--to", "b", *extra)
        assert "canary" not in ended.out + ended.err
        assert "danger" not in ended.out + ended.err
    assert "differs; it looks like a secret and is not shown" in shell("plan", "env.pxb", "--to", "b").out


def test_torn_reading(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that kept changing gives a bundle, and exit code 3 with the kinds that changed."""

    async def torn(*arguments: Any, **settings: Any) -> operation.Exported:
        found = await operation.export_environment(*arguments, **settings)
        return operation.Exported(found.header, found.records, ("variable",))

    monkeypatch.setattr(export, "export_environment", torn)
    ended = shell("export", "--from", "a", "-o", "env.pxb")
    assert ended.code == 3
    assert "changed while it was read, so the bundle may mix two states: variable" in ended.out
    assert shell("verify", "env.pxb").code == 0
    assert shell("transfer", "--from", "a", "--to", "b").code == 3


def test_inspect_shows_what_is_inside(shell: Any) -> None:
    """Inspect has provenance, counts, order, secret slots, findings and what was left out."""
    text = shell("inspect", GOLDEN).out
    for part in ("content digest:", "source:", "order of import:", "secrets, each a placeholder", "left out at export"):
        assert part in text
    assert last_line(text) == "7 exported, 1 left out (8 of 8 accounted for)"
    assert last_line(shell("verify", GOLDEN).out) == "intact: 7 exported, 1 left out (8 of 8 accounted for)"


def test_secrets_template_can_be_filled_in(shell: Any) -> None:
    """The template has each slot with its variable, is kept from others, and is TOML with empty values."""
    ended = shell("secrets", "template", GOLDEN, "-o", "secrets.toml")
    assert ended.code == 0
    path = shell.directory / "secrets.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    slots = [each.slot for each in read_bundle(Path(GOLDEN)).manifest.secrets]
    assert tomllib.loads(path.read_text()) == dict.fromkeys(slots, "")
    assert "XFER_SECRET_BLOCK_SECRET_DB_DATA_VALUE" in shell("secrets", "template", GOLDEN).out


def test_hostile_slot_is_still_toml() -> None:
    """No name of a slot breaks the template's syntax or reaches the terminal raw."""
    name = f'block:a/"\\{HOSTILE}\n\x7f\U0001f680#/x'
    text = template([SecretSlot(name, "block:a", "/x", "string")])
    assert tomllib.loads(text) == {name: ""}
    assert not {"\x1b", "\x7f", "\u202e"} & set(text)


def test_secret_is_required(shell: Any) -> None:
    """--missing-secrets fail ends with exit code 6 before any write."""
    ended = shell("import", GOLDEN, "--to", "b", "--missing-secrets", "fail")
    assert (ended.code, shell.b.writes) == (6, [])
    assert "hint: supply them with --secrets FILE" in ended.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "not a file of secrets in TOML"),
        ('"block:none#/x" = "v"', "the bundle has no secret slot 'block:none#/x'"),
        ('"deployment:etl/nightly/job_variables/keys" = "canary"', "must be JSON: it is of type array"),
        ('"deployment:etl/nightly/job_variables/keys" = 1', "is not of type array"),
        ('"block:secret/db/data/value" = 2020-01-01', ""),
    ],
)
def test_wrong_secrets_file(shell: Any, text: str, message: str) -> None:
    """A secrets file that does not fit is wrong usage, told without its values, before any request."""
    (shell.directory / "secrets.toml").write_text(text)
    ended = shell("import", GOLDEN, "--to", "b", "--no-receipt", "--secrets", "secrets.toml")
    assert message in ended.err
    assert "canary" not in ended.err
    assert (ended.code, shell.b.requests) == (64, []) or message == ""


def test_readable_secrets_file_is_warned_of(shell: Any) -> None:
    """A secrets file that others can read gets a warning with the remedy."""
    (shell.directory / "secrets.toml").write_text("")
    (shell.directory / "secrets.toml").chmod(0o644)
    assert "chmod 600" in shell("plan", GOLDEN, "--to", "b", "--secrets", "secrets.toml").err
    assert shell("plan", GOLDEN, "--to", "b", "--secrets", "none.toml").code == 64


def test_hostile_names_are_escaped(shell: Any) -> None:
    """No control or bidirectional character of a name reaches the terminal, in text or JSON, log or error."""
    shell.a.add(HOSTILE, HOSTILE)
    shell.bundle()
    shell.b.add(HOSTILE, "other")
    outputs = [
        shell("plan", "env.pxb", "--to", "b", "-v"),
        shell("plan", "env.pxb", "--to", "b", "--json"),
        shell("import", "env.pxb", "--to", "b", "-v"),
        shell("verify", f"{HOSTILE}.pxb"),
        shell("verify", f"{HOSTILE}.pxb", "--json"),
        shell("export", "--from", HOSTILE, "-o", "x.pxb"),
        shell(HOSTILE),
    ]
    for ended in outputs:
        assert not {"\x1b", "\u202e"} & set(ended.out + ended.err)
    assert "variable:\\x1b[31mred\\u202e[bold]" in outputs[0].out
    assert outputs[1].document["resources"][2]["key"] in {f"variable:{HOSTILE}", "variable:region", "variable:retries"}


def test_usage_errors_do_not_repeat_passwords(shell: Any) -> None:
    """A URL given in the wrong place is quoted without its user information."""
    ended = shell("verify", "x.pxb", "http://user:canary@host/api")
    assert ended.code == 64
    assert "canary" not in ended.err
    assert "http://***@host/api" in ended.err


def raising(error: BaseException) -> Any:
    async def fail(*_: Any, **__: Any) -> None:
        raise error

    return fail


def test_bug_leaves_a_traceback_without_values(
    shell: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An unexpected exception is exit code 70; the file it leaves has places and types, and no message."""
    error = KeyError("canary")
    error.__cause__ = ValueError("canary-cause")
    monkeypatch.setattr(import_, "prepare", raising(ExceptionGroup("canary-group", [error])))
    monkeypatch.setenv("TMPDIR", str(shell.directory))
    monkeypatch.setattr(tempfile, "tempdir", None)
    ended = shell("import", shell.bundle(), "--to", "b", "--json")
    monkeypatch.setattr(tempfile, "tempdir", None)
    (kept,) = shell.directory.glob("xfer-bug-*.txt")
    assert (ended.code, ended.document["error"]["code"]) == (70, "Bug")
    assert str(kept) in ended.err
    assert kept.stat().st_mode & 0o777 == 0o600
    for name in ("builtins.KeyError", "builtins.ValueError", "ExceptionGroup", "import_.py:"):
        assert name in kept.read_text()
    assert "canary" not in kept.read_text() + ended.err + ended.out + capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ExceptionGroup("", [AccessDenied("no", status=401, hint="-"), UsageError("second", hint="-")]), 5),
        (ExceptionGroup("", [ExceptionGroup("", [BundleError("deep", hint="-")])]), 1),
        (ExceptionGroup("", [BundleError("expected", hint="-"), KeyError("not")]), 70),
        (KeyboardInterrupt(), 130),
    ],
)
def test_groups_and_interrupts(
    shell: Any, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, tmp_path: Path
) -> None:
    """A group of expected errors counts as its first one; one with a bug in it is a bug."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(import_, "prepare", raising(error))
    assert shell("import", shell.bundle(), "--to", "b").code == code


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
    assert "stopping: requests in flight are awaited" in ended.err
    assert [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)] == before
    shell.b.answer = lambda _: None
    assert shell("import", "env.pxb", "--to", "b").code == 0
    assert len(shell.b.variables) == 2


def run_process(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **settings)


def test_version_and_help_import_next_to_nothing() -> None:
    """--version and --help need none of the libraries that take long to import."""
    script = (
        "import sys\nfrom bundle import cli\nassert cli.run(sys.argv[1:]) == 0\n"
        "slow = {'httpx', 'rich', 'zstandard', 'jsonschema', 'msgspec', 'asyncio', 'prefect'}\n"
        "print(sorted(sys.modules.keys() & slow))"
    )
    for option in ("--version", "--help"):
        ended = run_process("-c", script, option)
        assert (ended.returncode, last_line(ended.stdout)) == (0, "[]"), ended.stderr


def test_module_is_the_command() -> None:
    """``python -m bundle`` is ``xfer``."""
    ended = run_process("-m", "bundle", "--version")
    assert (ended.returncode, ended.stdout) == (0, "xfer 0.1.0\n")


def test_closed_output_is_no_error() -> None:
    """When the reader of our output goes away, nothing is said about it."""
    command = f"'{sys.executable}' -m bundle inspect '{GOLDEN}' | true; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
    assert ended.returncode in {0, 1}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
def test_full_output_is_an_expected_error() -> None:
    """Standard output that takes nothing more is exit code 1, with and without --json."""
    for extra in ([], ["--json"]):
        with Path("/dev/full").open("w") as full:
            command = [sys.executable, "-m", "bundle", "inspect", GOLDEN, *extra]
            ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert ended.returncode == 1
        assert ended.stderr.startswith("xfer: error: standard output: cannot be written: no space left")


def test_demo_needs_prefect(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Prefect the demo ends with the command that installs it."""

    def missing() -> Path:
        raise BundleError("no prefect", hint="pip install 'xfer[demo]'")

    monkeypatch.setattr(processes, "find_prefect", missing)
    ended = shell("demo")
    assert (ended.code, ended.err) == (1, "xfer: error: no prefect\nhint: pip install 'xfer[demo]'\n")


def test_demo_does_not_replace_a_bundle(shell: Any) -> None:
    """--keep refuses a directory that already has a bundle."""
    (shell.directory / "env.pxb").write_text("mine")
    assert shell("demo", "--keep", str(shell.directory)).code == 64


def test_lazy_commands_have_the_help_of_their_group(shell: Any) -> None:
    """Every command that the help lists can be asked for help."""
    for name in COMMANDS:
        ended = shell(name, "--help")
        assert (ended.code, ended.out.startswith(f"Usage: xfer {name}")) == (0, True), ended.err


def test_console_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars are drawn on a terminal, unless log lines would run through them."""
    console = Console(())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    before = console.is_live
    console.log_everything()
    after = console.is_live
    console.close()
    assert (before, after) == (True, False)


def test_findings_of_the_export_are_repeated_at_import(shell: Any) -> None:
    """What the export found suspicious is shown again by the import."""
    shell.a.add("token", "ghp_" + "x" * 36)
    assert "secret-suspected (1)" in shell("import", shell.bundle(), "--to", "b").out
    findings = read_bundle(shell.directory / "env.pxb").manifest.findings
    assert findings == (Finding("secret-suspected", "variable:token", "/value"),)


def test_a_plan_is_shown_even_where_the_import_would_be_refused(shell: Any) -> None:
    """With a policy to fail, plan and --dry-run show all of the plan, then why it would not be carried out."""
    file = shell.bundle()
    shell.b.add("region", "us")

    for command in (("plan", file, "-o", "plan.json"), ("import", file, "--dry-run")):
        ended = shell(*command, "--to", "b", "--on-conflict", "fail")
        assert ended.code == 1
        assert "~ variable:region  (exists-differs)\n    /value\n      - us\n      + eu\n" in ended.out
        assert "xfer: error: the destination has these with other content: variable:region" in ended.err
    assert not (shell.directory / "plan.json").exists()
    secrets = shell("plan", GOLDEN, "--to", "b", "--missing-secrets", "fail", "--json")
    assert (secrets.code, secrets.document["error"]["code"]) == (6, "SecretMissing")
    assert secrets.document["summary"]["accounted_for"] == secrets.document["summary"]["total"] > 0


def test_a_conflict_can_stop_an_import(shell: Any) -> None:
    """With --on-conflict fail nothing is written once anything differs, and the message names it."""
    file = shell.bundle()
    assert shell("import", file, "--to", "b", "--on-conflict", "fail").code == 0
    shell.b.variables[0]["value"] = "edited"

    ended = shell("import", file, "--to", "b", "--on-conflict", "fail")

    assert ended.code == 1
    assert "variable:region" in ended.err
    assert "--on-conflict skip" in ended.err


def test_secrets_may_come_as_json(shell: Any) -> None:
    """A secrets file that is a JSON object works as a TOML one, and a broken one is refused without quoting it."""
    (shell.directory / "secrets.json").write_text('{"no such slot": "s3cret"}')
    (shell.directory / "broken.json").write_text('{"slot": "s3cret"')

    file = shell.bundle()

    for name in ("secrets.json", "broken.json"):
        ended = shell("import", file, "--to", "b", "--secrets", name)
        assert ended.code == 64
        assert "s3cret" not in ended.out + ended.err
