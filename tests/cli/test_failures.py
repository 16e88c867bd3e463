"""Errors as messages and exit codes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest

from bundle.cli import importing
from bundle.errors import AccessDenied, BundleError, UsageError


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
    monkeypatch.setattr(importing, "prepare", raising(ExceptionGroup("canary-group", [error])))
    monkeypatch.setenv("TMPDIR", str(shell.directory))
    monkeypatch.setattr(tempfile, "tempdir", None)
    ended = shell("import", shell.bundle(), "--to", "b", "--json")
    monkeypatch.setattr(tempfile, "tempdir", None)
    (kept,) = shell.directory.glob("xfer-bug-*.txt")
    assert (ended.code, ended.document["error"]["code"]) == (70, "Bug")
    assert str(kept) in ended.err
    assert kept.stat().st_mode & 0o777 == 0o600
    for name in ("builtins.KeyError", "builtins.ValueError", "ExceptionGroup", "importing.py:"):
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
    monkeypatch.setattr(importing, "prepare", raising(error))
    assert shell("import", shell.bundle(), "--to", "b").code == code
