"""Start-up of whole processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.measure import Row, interleaved, median, row, seconds

_BAR_SECONDS = 0.15


def measure(repetitions: int) -> list[Row]:
    """``xfer --version`` and ``--help`` against a Python that does nothing, and against Prefect."""
    beside = Path(sys.executable).parent
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "xfer --version": [str(beside / "xfer"), "--version"],
        "xfer --help": [str(beside / "xfer"), "--help"],
        "prefect version": [str(beside / "prefect"), "version"],
    }

    def run(command: list[str]) -> float:
        return seconds(lambda: subprocess.run(command, check=True, capture_output=True))

    ours = {name: lambda command=command: run(command) for name, command in commands.items()}
    prefect = {"prefect version": ours.pop("prefect version")}
    found = interleaved(ours, repetitions) | interleaved(prefect, max(1, repetitions // 5))
    return [_row(name, samples, median(found["python -c pass"])) for name, samples in found.items()]


def _row(name: str, samples: list[float], nothing: float) -> Row:
    is_barred = name == "xfer --version"
    note = f"{median(samples) / nothing:.1f} x python -c pass; least {min(samples):.3f} s"
    bar = _BAR_SECONDS if is_barred else None
    return row(
        "start-up", name, median(samples), "s", bar=bar, samples=tuple(round(each, 4) for each in samples), note=note
    )
