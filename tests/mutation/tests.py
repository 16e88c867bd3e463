"""The unit tests: which of them run which line, how long each takes, and whether any of some fails.

Run as a plug-in of pytest (``-p mutation.tests``) it watches or chooses, as the variable ``MUTATION`` says.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import coverage
import msgspec
import pytest

ROOT = Path(__file__).parents[2]
FAST = ("tests/unit",)
_VARIABLE = "MUTATION"


class Watched(msgspec.Struct):
    """What is known of the tests: seconds by test, and tests by line (a text) by file."""

    seconds: dict[str, float]
    tests: dict[str, dict[str, list[int]]]

    def of(self, path: str, first: int, last: int) -> list[str]:
        """The tests that run any of these lines, those that are over soonest first.

        Lines that no test runs itself are run by the import of their module: then, the tests of the module.
        """
        lines = self.tests.get(path, {})
        found = {test for line in range(first, last + 1) for test in lines.get(str(line), ())}
        names = list(self.seconds)
        numbers = found or {test for tests in lines.values() for test in tests}
        return sorted((names[each] for each in numbers), key=lambda name: self.seconds[name])


def watch(file: Path, tests: Sequence[str] = FAST) -> Watched:
    """Run some tests once, under watch, and keep what was seen."""
    environment = {**os.environ, _VARIABLE: f"watch {file}"}
    run = [sys.executable, *_PYTEST, *tests]
    subprocess.run(run, cwd=ROOT, env=environment, stdout=sys.stderr, check=True)
    return msgspec.json.decode(file.read_bytes(), type=Watched)


_PYTEST = ("-m", "pytest", "-q", "-p", "mutation.tests", "-p", "no:cacheprovider")


def fails(tests: Sequence[str], sources: Path, *, chosen: Path, timeout_seconds: float) -> bool:
    """Whether any of these tests fails, or they do not end, with the package that lies in ``sources``.

    Args:
        tests: what to run, in this order.
        sources: the directory that the package lies in.
        chosen: a file to write, which says to pytest what to run.
        timeout_seconds: after which they count as failed.
    """
    chosen.write_text("\n".join(tests))
    files = sorted({each.partition("::")[0] for each in tests})
    python_path = os.pathsep.join((str(sources), str(ROOT / "tests")))
    environment = {
        **os.environ,
        _VARIABLE: f"choose {chosen}",
        "PYTHONPATH": python_path,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    run = [sys.executable, *_PYTEST, "-x", *files]
    with subprocess.Popen(
        run, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            return process.wait(timeout_seconds) != 0
        except subprocess.TimeoutExpired:
            return True
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class _Watch:
    """Notes the lines and the time of each test."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.seconds: dict[str, float] = {}
        self.coverage = coverage.Coverage(data_file=None, source=[str(ROOT / "src")])
        self.coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self.coverage.switch_context(item.nodeid)
        start = time.monotonic()
        yield
        self.seconds[item.nodeid] = round(time.monotonic() - start, 3)
        self.coverage.switch_context("")

    def pytest_sessionfinish(self) -> None:
        self.coverage.stop()
        data = self.coverage.get_data()
        numbers = {name: number for number, name in enumerate(self.seconds)}
        tests: dict[str, Any] = {}
        for path in data.measured_files():
            lines = data.contexts_by_lineno(path)
            found = {line: [numbers[each] for each in names if each in numbers] for line, names in lines.items()}
            tests[str(Path(path).relative_to(ROOT / "src"))] = found
        self.file.write_text(json.dumps({"seconds": self.seconds, "tests": tests}))


class _Choice:
    """Runs the chosen tests only, in the order given."""

    def __init__(self, file: Path) -> None:
        self.places = {name: place for place, name in enumerate(file.read_text().split("\n"))}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = sorted(
            (each for each in items if each.nodeid in self.places), key=lambda item: self.places[item.nodeid]
        )


def pytest_configure(config: pytest.Config) -> None:
    what, _, file = os.environ[_VARIABLE].partition(" ")
    config.pluginmanager.register({"watch": _Watch, "choose": _Choice}[what](Path(file)))
