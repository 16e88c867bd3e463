"""xfer demo: what it needs. What it shows is tested in test_json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundle.errors import BundleError
from bundle.server import processes


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
