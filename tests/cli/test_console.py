"""What is printed where, and that all of it is safe to print."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundle.cli.console import Console
from support.commands import GOLDEN

HOSTILE = "\x1b[31mred\u202e[bold]"


def test_quiet_says_nothing_on_stderr(shell: Any) -> None:
    """With --quiet a run without trouble leaves stderr empty."""
    assert shell("export", "--from", "a", "-o", "env.pxb", "--quiet").err == ""


def test_verbose_and_the_variable_of_prefect_show_the_requests(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """-v and PREFECT_LOGGING_LEVEL=DEBUG log each request to stderr."""
    assert (
        "debug bundle.server.client: POST /variables/filter: 200"
        in shell("plan", shell.bundle(), "--to", "b", "-v").err
    )
    monkeypatch.setenv("PREFECT_LOGGING_LEVEL", "debug")
    assert "debug bundle.server.client: POST /variables/filter: 200" in shell("plan", "env.pxb", "--to", "b").err


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


def test_console_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bars are drawn on a terminal, unless log lines would run through them."""
    console = Console(())
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    before = console.is_live
    console.log_everything()
    after = console.is_live
    console.close()
    assert (before, after) == (True, False)


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
