"""xfer export: what is printed, what is refused, and the exit code."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bundle.cli import exporting
from bundle.operations import export as operation


def test_progress_names_the_server_first(shell: Any) -> None:
    """The first line on stderr says which server is about to be read."""
    ended = shell("export", "--from", "a", "-o", "env.pxb")
    assert ended.err.splitlines()[0] == "reading a (http://a.test/api)"
    assert "  read variable: 2 of 2" in ended.err.splitlines()


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


def test_unreachable_server(shell: Any) -> None:
    """A server that cannot be reached is exit code 5, for reading and for the whole of an import."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("no")

    shell.bundle()
    shell.a.answer = shell.b.answer = refuse
    assert shell("export", "--from", "a", "-o", "x.pxb").code == 5
    assert shell("import", "env.pxb", "--to", "b").code == 5


def test_torn_reading(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that kept changing gives a bundle, and exit code 3 with the kinds that changed."""

    async def torn(*arguments: Any, **settings: Any) -> operation.Exported:
        found = await operation.export_environment(*arguments, **settings)
        return operation.Exported(found.header, found.records, ("variable",))

    monkeypatch.setattr(exporting, "export_environment", torn)
    ended = shell("export", "--from", "a", "-o", "env.pxb")
    assert ended.code == 3
    assert "changed during the export, so the bundle may mix old and new: variable" in ended.out
    assert shell("verify", "env.pxb").code == 0
    assert shell("transfer", "--from", "a", "--to", "b").code == 3
