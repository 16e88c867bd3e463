"""What a bundle costs without any server: time and peak memory by number of resources.

One thread computes and hardly ever waits, so processor time is what counts: it is what the clock
would show on an idle machine.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from benchmarks.measure import Row, interleaved, median, row, tell
from bundle.container.reader import open_bundle

_RATE = 20_000
_GROWTH = 1.5
_WORKS = ("write", "stream", "read", "verify", "inspect", "diff")
# These hold all records, or answer with a list of what they found, so their memory grows with it.
_WHOLE = frozenset({"read", "diff", "inspect"})
_NAMES = {"stream": "read one by one", "read": "read whole"}
_BARE = {"write": "write-bare", "stream": "read-bare", "read": "read-bare", "verify": "read-bare"}
_ROOT = Path(__file__).parent.parent


class Cost(msgspec.Struct):
    """What one work took in a process of its own."""

    seconds: float
    processor_seconds: float
    peak_mib: float


def work(name: str, path: Path, resources: int) -> Cost:
    command = [sys.executable, "-m", "benchmarks.worker", name, str(path), str(resources)]
    done = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Cost)


def measure(directory: Path, sizes: tuple[int, ...], repetitions: int) -> list[Row]:
    """Rates at every size, and the growth of the peak memory from the first to the last."""
    rows: list[Row] = []
    peaks: dict[tuple[str, int], float] = {}
    for resources in sizes:
        rows += _at_size(directory, resources, repetitions if resources < sizes[-1] else 1, peaks)
    for name in _WORKS:
        low, high = peaks[name, sizes[0]], peaks[name, sizes[-1]]
        what = f"{_NAMES.get(name, name)}: peak memory at {sizes[-1]:,} / at {sizes[0]:,}"
        note = f"{high:.0f} MiB : {low:.0f} MiB"
        rows.append(row("bundle", what, high / low, "x", bar=None if name in _WHOLE else _GROWTH, note=note))
    return rows


def _at_size(directory: Path, resources: int, repetitions: int, peaks: dict[tuple[str, int], float]) -> list[Row]:
    path, bare = directory / "synthetic.pxb", directory / "synthetic.bare"
    costs: dict[str, Cost] = {}

    def run(name: str) -> float:
        costs[name] = work(name, bare if name.endswith("-bare") else path, resources)
        return costs[name].processor_seconds

    names = ("generate", "write", "write-bare", "read-bare", "stream", "read", "verify", "inspect", "diff")
    series = interleaved({name: lambda name=name: run(name) for name in names}, repetitions)  # type: ignore[misc]
    for name in ("write", "write-bare"):  # making the records is no part of writing them
        series[name] = [one - other for one, other in zip(series[name], series["generate"], strict=True)]
    found = {name: median(samples) for name, samples in series.items()}
    peaks |= {(name, resources): costs[name].peak_mib for name in names}
    tell(f"bundle of {resources:,}: " + ", ".join(f"{name} {value:.2f} s" for name, value in found.items()))
    size = _plain_bytes(path) / 1e6
    return [_rate(name, resources, found, size, costs[name]) for name in _WORKS]


def _rate(name: str, resources: int, found: dict[str, float], megabytes: float, cost: Cost) -> Row:
    rate = resources / found[name]
    note = f"{megabytes / found[name]:.0f} MB/s, peak {cost.peak_mib:.0f} MiB, {cost.seconds:.2f} s by the clock"
    if name in _BARE:
        note += f"; {found[name] / found[_BARE[name]]:.1f} x the time of bare JSON and zstd"
    what = f"{_NAMES.get(name, name)} {resources:,} resources"
    bar = None if name == "diff" else _RATE
    return row("bundle", what, rate, "resources/s of processor time", way="at least", bar=bar, note=note)


def _plain_bytes(path: Path) -> int:
    with path.open("rb") as stream:
        return sum(member.size for member in open_bundle(stream).manifest.members)
