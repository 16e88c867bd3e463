"""Times as ratios: medians of interleaved repetitions, and what is known of the machine."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

Way = Literal["at most", "at least"]


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of the table: a measured value, and the bar it is held against, if any."""

    case: str
    what: str
    value: float
    unit: str = ""
    way: Way = "at most"
    bar: float | None = None
    samples: tuple[float, ...] = ()
    note: str = ""
    load: float = 0.0

    @property
    def verdict(self) -> str:
        """Whether the bar is reached; empty where there is none."""
        if self.bar is None:
            return ""
        is_reached = self.value <= self.bar if self.way == "at most" else self.value >= self.bar
        return "reached" if is_reached else "not reached"


def row(case: str, what: str, value: float, unit: str = "", **more: Any) -> Row:
    """A row with the load average of this moment."""
    return Row(case, what, value, unit, load=round(os.getloadavg()[0], 2), **more)


def peak_mib() -> float:
    """The most memory that this process has held, in MiB.

    Not ``ru_maxrss`` where it can be helped: on Linux that is at least what the parent held when it started us.
    """
    status = Path("/proc/self/status")
    if status.exists():
        fields = dict(line.split(":", 1) for line in status.read_text(encoding="utf-8").splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def seconds(work: Callable[[], object]) -> float:
    """How long a call takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def interleaved(
    works: Mapping[str, Callable[[], float]], repetitions: int, *, hopeless: float = math.inf
) -> dict[str, list[float]]:
    """Results of every work, each round running all of them, so that a change of load meets all alike.

    One that took ``hopeless`` times as long as the first of them is not repeated.
    """
    found: dict[str, list[float]] = {name: [] for name in works}
    first = next(iter(found.values()))
    for _ in range(repetitions):
        for name, work in works.items():
            if not found[name] or found[name][0] < hopeless * first[0]:
                found[name].append(work())
    return found


def median(samples: list[float]) -> float:
    return statistics.median(samples)


def ratio(over: list[float], under: list[float]) -> tuple[float, tuple[float, ...]]:
    """The median of the ratios of two interleaved series, and the ratios."""
    ratios = [one / other for one, other in zip(over, under, strict=True)]
    return median(ratios), tuple(round(each, 4) for each in ratios)


def best(series: Mapping[str, list[float]]) -> str:
    """The name of the series with the least median."""
    return min(series, key=lambda name: median(series[name]))


def machine() -> dict[str, Any]:
    """The machine, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory / 2**30, 1),
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}, {_distribution()}",
        "python": platform.python_version(),
        "prefect": _version("prefect"),
        "xfer": _version("xfer"),
        "load_average_at_start": os.getloadavg(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _distribution() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.release()


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def tell(text: str) -> None:
    """One line of progress."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)
