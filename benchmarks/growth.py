"""Time and memory of whole processes by number of resources on a real server, and the plot of them."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from math import log10
from pathlib import Path

import msgspec

from benchmarks import synthetic
from benchmarks.measure import Row, row, tell
from benchmarks.places import Place
from bundle.container.writer import write_file

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 400, 260, 56, 28, 36, 40
_COLORS = ("#1f6feb", "#d1242f", "#1a7f37", "#8250df")

_ROOT = Path(__file__).parent.parent
_Series = dict[str, list[tuple[float, float]]]


class Point(msgspec.Struct):
    """What one command took on so many resources."""

    resources: int
    seconds: float
    peak_mib: float


def measure(place: Place, directory: Path, sizes: Sequence[int], plot: Path | None) -> list[Row]:
    """Import synthetic environments into the empty server, again, and export them from it."""
    found: dict[str, list[Point]] = {"import": [], "import again": [], "export": [], "verify": []}
    for resources in sizes:
        path = directory / f"{resources}.pxb"
        write_file(synthetic.header(resources), synthetic.records(resources), path, force=True)
        place.empty()
        moves = ["import", str(path), "--to", place.url]
        commands = {
            "import": moves,
            "import again": moves,
            "export": ["export", "--from", place.url, "-o", str(directory / "out.pxb"), "--force"],
            "verify": ["verify", str(path)],
        }
        for name, arguments in commands.items():
            found[name].append(_run(resources, arguments))
        tell(
            f"growth at {resources:,}: " + ", ".join(f"{name} {each[-1].seconds:.2f} s" for name, each in found.items())
        )
    if plot:
        plot.write_text(_svg(found, place.name), encoding="utf-8")
    return [_row(name, points) for name, points in found.items()]


# What ``xfer`` does, and then the peak memory on standard error.
_XFER = """
import sys
from benchmarks.measure import peak_mib
from bundle.cli import run
code = run(sys.argv[1:])
print(peak_mib(), file=sys.stderr)
sys.exit(code)
"""


def _run(resources: int, arguments: list[str]) -> Point:
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", _XFER, *arguments],
        cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    took = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"xfer {' '.join(arguments)}: exit code {done.returncode}")
    return Point(resources, took, float(done.stderr.split()[-1]))


def _row(name: str, points: list[Point]) -> Row:
    first, last = points[0], points[-1]
    note = "; ".join(f"{each.resources:,}: {each.seconds:.2f} s, {each.peak_mib:.0f} MiB" for each in points)
    what = f"{name}: seconds per 1000 resources at {last.resources:,} / at {points[-2].resources:,}"
    before = points[-2]
    value = (last.seconds / last.resources) / (before.seconds / before.resources)
    samples = (first.seconds, last.seconds)
    return row("growth", what, value, "x", samples=samples, note=note)


# The plot


def _svg(found: Mapping[str, list[Point]], place: str) -> str:
    times: _Series = {name: [(each.resources, each.seconds) for each in points] for name, points in found.items()}
    peaks: _Series = {name: [(each.resources, each.peak_mib) for each in points] for name, points in found.items()}
    panels = [_panel(0, f"seconds ({place})", times), _panel(_WIDTH, "peak memory, MiB", peaks)]
    size = f'width="{2 * _WIDTH}" height="{_HEIGHT}" viewBox="0 0 {2 * _WIDTH} {_HEIGHT}"'
    style = 'font-family="sans-serif" font-size="11" fill="#57606a"'
    background = f'<rect width="{2 * _WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>'
    title = "<title>Time and peak memory of xfer by number of resources</title>"
    return "\n".join(
        [f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', title, background, *panels, "</svg>\n"]
    )


def _panel(left: int, title: str, series: _Series) -> str:
    """One plot, both axes logarithmic."""
    points = [point for each in series.values() for point in each]
    ends = [_ends([point[axis] for point in points]) for axis in (0, 1)]
    parts = [f'<text x="{left + _LEFT}" y="16" font-size="13" fill="#24292f">{title}</text>']
    parts += [_tick(left, ends, axis, power) for axis in (0, 1) for power in range(ends[axis][0], ends[axis][1] + 1)]
    for number, (name, each) in enumerate(series.items()):
        places = [_place(left, ends, point) for point in each]
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
        color = _COLORS[number]
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{color}"/>' for x, y in places]
        x = left + _LEFT + number * 80
        parts.append(f'<text x="{x}" y="30" fill="{color}">{name}</text>')
    return "\n".join(parts)


def _ends(values: list[float]) -> tuple[int, int]:
    return int(log10(min(values)) // 1), int(-(-log10(max(values)) // 1))


def _place(left: int, ends: list[tuple[int, int]], point: tuple[float, float]) -> tuple[float, float]:
    x, y = ((log10(value) - low) / max(1, high - low) for value, (low, high) in zip(point, ends, strict=True))
    return left + _LEFT + x * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - y * (_HEIGHT - _TOP - _BOTTOM)


def _tick(left: int, ends: list[tuple[int, int]], axis: int, power: int) -> str:
    at = (10.0**power, 10.0 ** ends[1][0]) if axis == 0 else (10.0 ** ends[0][0], 10.0**power)
    to = (10.0**power, 10.0 ** ends[1][1]) if axis == 0 else (10.0 ** ends[0][1], 10.0**power)
    (x1, y1), (x2, y2) = _place(left, ends, at), _place(left, ends, to)
    text = f"{10**power:,}" if power >= 0 else f"{10.0**power:g}"
    line = f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#d0d7de" stroke-width="0.5"/>'
    if axis == 0:
        return f'{line}<text x="{x1:.1f}" y="{y1 + 15:.1f}" text-anchor="middle">{text}</text>'
    return f'{line}<text x="{x1 - 6:.1f}" y="{y1 + 4:.1f}" text-anchor="end">{text}</text>'
