"""What tests of profiles share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of a user, with an empty ``.prefect``, and ``cwd`` to work in."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / ".prefect").mkdir()
    return tmp_path
