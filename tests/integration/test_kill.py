"""A killed process leaves nothing that the same command does not mend."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bundle.container.reader import read_bundle
from bundle.server.process import Server
from support.compare import compare
from support.environment import Size
from support.moving import export, written
from support.proxy import Fault, Proxy, Recorded, Script

Factory = Callable[[Size | None], Server]

# One point in every run, fifty and more when asked for.
POINTS = int(os.environ.get("XFER_KILL_POINTS", "1"))


@pytest.fixture(scope="module")
def bundle_file(source_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small environment as a bundle on disk."""
    path = tmp_path_factory.mktemp("bundle") / "env.pxb"
    path.write_bytes(written(export(source_server.url)))
    return path


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "bundle", *arguments]


def _import_killed_at(write: int, url: str, bundle: Path) -> int:
    """Import in a process of its own that gets SIGKILL while one write is on its way; its exit status."""
    process: subprocess.Popen[bytes] | None = None
    seen = 0

    def kill(request: Recorded) -> None:
        nonlocal seen
        seen += request.is_write
        if request.is_write and seen == write and process is not None:
            process.kill()

    with Proxy(url, on_request=kill) as proxy:
        command = _command("import", str(bundle), "--to", proxy.url, "--quiet", "--no-receipt")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return process.wait(timeout=120)


@pytest.mark.parametrize("point", range(POINTS))
def test_a_killed_process_is_made_good_by_the_next(
    source_server: Server, destination_server: Server, bundle_file: Path, point: int
) -> None:
    """After kill -9 at any write, the same command again ends as one clean run, without duplicates."""
    records = len(read_bundle(bundle_file).records)
    write = random.Random(point).randrange(1, records)

    assert _import_killed_at(write, destination_server.url, bundle_file) != 0
    done = subprocess.run(
        _command("import", str(bundle_file), "--to", destination_server.url, "--json", "--no-receipt"),
        capture_output=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stderr.decode()
    assert json.loads(done.stdout)["summary"]["failed"] == 0
    assert compare(source_server.url, destination_server.url) == []


def test_a_killed_export_leaves_no_bundle(source_server: Server, tmp_path: Path) -> None:
    """A bundle has its name when it is whole, or not at all."""
    process: subprocess.Popen[bytes] | None = None

    def kill(request: Recorded) -> None:
        if request.number == 20 and process is not None:
            process.kill()

    with Proxy(source_server.url, on_request=kill) as proxy:
        command: Any = _command("export", "--from", proxy.url, "-o", str(tmp_path / "env.pxb"), "--quiet")
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert process.wait(timeout=120) != 0

    assert list(tmp_path.iterdir()) == []


def test_sigterm_ends_an_import_with_its_account(
    destination_server: Server, source_server: Server, bundle_file: Path
) -> None:
    """After SIGTERM what is on its way is awaited, and everything is accounted for; the next run finishes."""
    process: subprocess.Popen[bytes] | None = None

    def terminate(request: Recorded) -> None:
        if request.is_write and len(proxy.writes) == 40 and process is not None:
            process.terminate()

    with Proxy(destination_server.url, on_request=terminate) as proxy:
        command = _command("import", str(bundle_file), "--to", proxy.url, "--json", "--no-receipt")
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        answer, errors = process.communicate(timeout=120)

    assert process.returncode == 130, errors.decode()
    report = json.loads(answer)
    assert report["error"]["code"] == "Interrupted"
    assert report["summary"]["accounted_for"] == report["summary"]["total"]
    assert 0 < report["summary"]["succeeded"] < 100
    assert all(write.status for write in proxy.writes)
    again = _command("import", str(bundle_file), "--to", destination_server.url, "--quiet", "--no-receipt")
    assert subprocess.run(again, capture_output=True, timeout=120, check=False).returncode == 0
    assert compare(source_server.url, destination_server.url) == []


def test_a_second_sigterm_ends_at_once(destination_server: Server, bundle_file: Path) -> None:
    """Whoever does not want to wait for what is on its way sends the signal again."""
    process: subprocess.Popen[bytes] | None = None

    def terminate(request: Recorded) -> None:
        if request.is_write and len(proxy.writes) == 6 and process is not None:
            process.terminate()

    slow = Script(dict.fromkeys(range(5, 200), Fault("delay", seconds=60)))
    with Proxy(destination_server.url, on_request=terminate, faults=slow) as proxy:
        command = _command("import", str(bundle_file), "--to", proxy.url, "--no-receipt")
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            assert any(b"stopping" in line for line in process.stderr)
            process.terminate()
            assert process.wait(timeout=20) == -signal.SIGTERM
