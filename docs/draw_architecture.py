"""Draws docs/architecture.svg from the real imports of ``src/bundle``: ``python docs/draw_architecture.py``.

A room is a package, with its modules inside. The rooms lie in the order in which they may import each other, what
everything needs at the bottom. An arc on the right leads from a package down to one that it imports; the more
imports, the wider. An arc that led up would be drawn red on the left; the tests allow none.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "bundle"
PICTURE = ROOT / "docs" / "architecture.svg"

JOBS = {
    "cli": "commands: options in, one report out",
    "fleet": "many workspaces, on Prefect",
    "report": "what was done, as values, text and JSON",
    "archive": "snapshots that come back",
    "operations": "the use cases, one module each",
    "apply": "carries out a plan, one outcome a record",
    "plan": "what is to be done, field by field; writes nothing",
    "environment": "what a server holds, as records",
    "kinds": "one file for each kind of resource",
    "server": "the wire: profiles, connection, retries",
    "trust": "who made a file, and for whose eyes",
    "container": "the bundle file: written, read, verified",
    "record": "one resource in portable form",
    "nouns": "errors, model, files: everything may import these",
}
NOUNS = frozenset({"errors", "model", "files", "_version"})
LINE, WIDTH, TEXT, MARGIN = 92, 560, 78, 30
"""Pixels a line, pixels a room, characters a line, pixels around."""


class Room(NamedTuple):
    """A package in the picture: the names of its modules, and where it lies."""

    name: str
    modules: tuple[str, ...]
    top: int
    height: int

    @property
    def middle(self) -> float:
        """The height at which arcs leave."""
        return self.top + self.height / 2


def package_of(module: str) -> str | None:
    """The room of a dotted module name below ``bundle``; None for the door itself and ``__main__``."""
    first = module.partition(".")[0]
    if first in NOUNS:
        return "nouns"
    return first if first in JOBS else None


def modules() -> dict[str, Path]:
    """Every module by its dotted name below ``bundle``."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = [part for part in path.relative_to(SOURCE).with_suffix("").parts if part != "__init__"]
        if parts:
            found[".".join(parts)] = path
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules of ours that a module imports, without ``bundle.``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("bundle."):
            yield str(node.module).removeprefix("bundle.")
        elif isinstance(node, ast.ImportFrom) and node.module == "bundle":
            yield from (alias.name for alias in node.names)


def arrows(found: Mapping[str, Path]) -> Counter[tuple[str, str]]:
    """How many imports lead from one room to another."""
    counts: Counter[tuple[str, str]] = Counter()
    for module, path in found.items():
        here = package_of(module)
        for name in imported(ast.parse(path.read_text())):
            there = package_of(name)
            if here and there and here != there:
                counts[here, there] += 1
    return counts


def rooms(found: Mapping[str, Path]) -> list[Room]:
    """The rooms from the top down."""
    held: dict[str, list[str]] = {name: [] for name in JOBS}
    for module in found:
        package = package_of(module)
        if package:
            held[package].append(module.partition(".")[2] or module)
    placed, top = [], MARGIN
    for name, names in held.items():
        if names:
            shown = tuple(each for each in names if each != name and not each.startswith("commands."))
            height = 52 + 16 * len(wrapped(shown))
            placed.append(Room(name, shown, top, height))
            top += height + 18
    return placed


def wrapped(names: Sequence[str]) -> list[str]:
    """The names in lines of bounded length."""
    lines = [""]
    for name in names:
        if len(lines[-1]) + len(name) > TEXT:
            lines.append("")
        lines[-1] += f"{name}  "
    return lines


def drawn_room(room: Room) -> Iterator[str]:
    """The SVG of one room."""
    yield f'<rect x="{LINE}" y="{room.top}" width="{WIDTH}" height="{room.height}" rx="8" class="room"/>'
    yield f'<text x="{LINE + 14}" y="{room.top + 22}" class="name">{room.name}</text>'
    yield f'<text x="{LINE + WIDTH - 14}" y="{room.top + 22}" class="job">{escape(JOBS[room.name])}</text>'
    for number, line in enumerate(wrapped(room.modules)):
        yield f'<text x="{LINE + 14}" y="{room.top + 44 + 16 * number}" class="module">{escape(line.rstrip())}</text>'


def drawn_arrow(here: Room, there: Room, count: int) -> str:
    """The arc from one room to another."""
    is_down = there.top > here.top
    side, bend = (LINE + WIDTH, 1) if is_down else (LINE, -1)
    reach = side + bend * (24 + abs(there.middle - here.middle) * 0.22)
    width = min(4.0, 0.6 + count / 8)
    start, end = here.middle + (6 if is_down else -6), there.middle - (6 if is_down else -6)
    return (
        f'<path d="M{side} {start:.0f} C{reach:.0f} {start:.0f} {reach:.0f} {end:.0f} {side} {end:.0f}" '
        f'class="{"down" if is_down else "up"}" stroke-width="{width:.1f}" marker-end="url(#head)">'
        f"<title>{here.name} imports {there.name}: {count}</title></path>"
    )


def draw() -> str:
    """The whole picture."""
    found = modules()
    placed = rooms(found)
    by_name = {room.name: room for room in placed}
    height = placed[-1].top + placed[-1].height + MARGIN
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LINE + WIDTH + 260} {height}" role="img">',
        "<title>The packages of xfer, and which imports which</title>",
        (
            "<style>text{font:13px sans-serif;fill:#1f2937}.name{font-weight:bold;font-size:15px}"
            ".job{text-anchor:end;fill:#4b5563}.module{font:12px monospace;fill:#374151}"
            ".room{fill:#f3f4f6;stroke:#9ca3af}.down{fill:none;stroke:#2563eb;opacity:.45}"
            ".up{fill:none;stroke:#dc2626}</style>"
        ),
        (
            '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'markerUnits="userSpaceOnUse" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#2563eb"/></marker></defs>'
        ),
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for room in placed:
        lines += drawn_room(room)
    for (here, there), count in sorted(arrows(found).items()):
        lines.append(drawn_arrow(by_name[here], by_name[there], count))
    return "\n".join([*lines, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(draw())
