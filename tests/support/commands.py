"""The command line in process, with profiles as people write them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from click.testing import CliRunner

from bundle import cli

GOLDEN = str(Path(__file__).parents[2] / "fixtures" / "golden" / "format-1.0.pxb")


class Ended(NamedTuple):
    """How a command ended, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def raw(self) -> bytes:
        """Standard output as it was, which may be a bundle."""
        return self.out.encode(errors="surrogateescape")

    @property
    def last_line(self) -> str:
        """The last line on stdout."""
        return self.out.splitlines()[-1]

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def xfer(*arguments: str, stdin: bytes = b"") -> Ended:
    """Run ``xfer``."""
    with CliRunner().isolation(input=stdin) as (out, err, _):
        code = cli.run(arguments)
        return Ended(code, out.getvalue().decode(errors="surrogateescape"), err.getvalue().decode())


def xfer_json(*arguments: str) -> tuple[int, Any]:
    """Run ``xfer --json`` in a process of its own; its exit code and its document."""
    command = [sys.executable, "-m", "bundle", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, check=False)
    return done.returncode, json.loads(done.stdout)


def write_profiles(file: Path, *, active: str = "", **tables: dict[str, Any]) -> None:
    """Write a profiles file, each keyword a profile with its settings."""
    lines = [f"active = {json.dumps(active)}"] if active else []
    for name, table in tables.items():
        lines += [f"[profiles.{name}]", *(f"{key} = {_toml(value)}" for key, value in table.items())]
    file.write_text("\n".join(lines) + "\n")


def _toml(value: Any) -> str:
    return json.dumps(json.dumps(value) if isinstance(value, dict) else value)
