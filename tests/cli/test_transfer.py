"""xfer transfer: both servers in one command."""

from __future__ import annotations

from typing import Any

import pytest

from bundle.container.reader import read_bundle


def test_transfer_copies_and_leaves_no_file(shell: Any) -> None:
    """A transfer moves everything, and without -o its bundle is gone afterwards."""
    ended = shell("transfer", "--from", "a", "--to", "b")
    assert ended.code == 0
    assert ended.last_line == "2 succeeded, 0 skipped, 0 failed (2 of 2 accounted for)"
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
