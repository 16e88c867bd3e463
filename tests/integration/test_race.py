"""Several processes that import one bundle into one real server at the same time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bundle.container.reader import read_bundle
from bundle.server.process import Server
from support.compare import compare
from support.moving import export, import_into, written

# Two in every run, more when asked for.
IMPORTERS = int(os.environ.get("XFER_RACERS", "2"))


def test_importers_that_race_leave_no_duplicates(
    source_server: Server, destination_server: Server, tmp_path: Path
) -> None:
    """Each process succeeds and accounts for everything, and together they leave what one would have."""
    bundle = tmp_path / "env.pxb"
    bundle.write_bytes(written(export(source_server.url)))
    command = [sys.executable, "-m", "bundle", "import", str(bundle), "--to", destination_server.url]

    processes = [
        subprocess.Popen([*command, "--json", "--no-receipt"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(IMPORTERS)
    ]
    ended = [(*process.communicate(timeout=480), process.returncode) for process in processes]

    for answer, errors, status in ended:
        resources = json.loads(answer)["resources"]
        assert [each for each in resources if each["state"] in {"failed", "blocked"}] == [], errors.decode()
        assert status == 0
        summary = json.loads(answer)["summary"]
        assert summary["succeeded"] + summary["skipped"] + summary["built_in"] == len(read_bundle(bundle).records)
    assert compare(source_server.url, destination_server.url) == []
    assert import_into(destination_server.url, read_bundle(bundle)).sent.writes == 0
