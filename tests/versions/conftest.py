"""Servers of other versions of Prefect, each installed in an environment of its own.

They take minutes to install and to run, so nothing here is collected unless
``XFER_VERSIONS`` names a directory for them: ``tox -e versions`` does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conftest import ServerPool
from versions.table import LOCKS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HOME = os.environ.get("XFER_VERSIONS")

collect_ignore_glob = [] if HOME else ["test_*.py"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write down what this run found, and its table")


def installed(home: Path, version: str) -> Path:
    """The ``prefect`` command of a version, installed from its lock if it is not there."""
    lock = LOCKS / f"{version}.txt"
    place = home / version
    mark = place / "installed.txt"
    if not mark.exists() or mark.read_text() != lock.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", place], check=True)
        # The locks are whole. Prefect 3.9.1 asks for a certifi that was not there yet when it was locked.
        options = ("--quiet", "--no-deps", "--requirement")
        install = [str(place / "bin" / "python"), "-m", "pip", "install", *options, str(lock)]
        subprocess.run(install, check=True)
        mark.write_text(lock.read_text())
    return place / "bin" / "prefect"


@pytest.fixture(scope="session")
def pool_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], ServerPool]]:
    """The servers of a version, by its number; none is booted before it is needed."""
    pools: dict[str, ServerPool] = {}
    home = Path(str(HOME)).absolute()

    def find(version: str) -> ServerPool:
        if version not in pools:
            directory = tmp_path_factory.mktemp(f"prefect-{version}-")
            pools[version] = ServerPool(directory, directory, prefect=installed(home, version), version=version)
        return pools[version]

    yield find
    for pool in pools.values():
        pool.close()
