"""The version is written down twice, since neither place can read the other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import bundle


def test_package_and_project_have_the_same_version() -> None:
    """``bundle.__version__`` is the version that pyproject.toml gives to installers."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    assert bundle.__version__ == project["project"]["version"]
