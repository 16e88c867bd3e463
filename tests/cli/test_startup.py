"""What the command needs to start."""

from __future__ import annotations

import subprocess
import sys
from typing import Any


def run_process(*arguments: str, **settings: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, **settings)


def test_version_and_help_import_next_to_nothing() -> None:
    """--version and --help need none of the libraries that take long to import."""
    script = (
        "import sys\nfrom bundle import cli\nassert cli.run(sys.argv[1:]) == 0\n"
        "slow = {'httpx', 'rich', 'zstandard', 'jsonschema', 'msgspec', 'asyncio', 'prefect'}\n"
        "print(sorted(sys.modules.keys() & slow))"
    )
    for option in ("--version", "--help"):
        ended = run_process("-c", script, option)
        assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "[]"), ended.stderr


def test_module_is_the_command() -> None:
    """``python -m bundle`` is ``xfer``."""
    ended = run_process("-m", "bundle", "--version")
    assert (ended.returncode, ended.stdout) == (0, "xfer 0.1.0\n")
