"""What the tests between versions found, and the table of it in docs/versions.md."""

from __future__ import annotations

from pathlib import Path

import msgspec

NEWEST = "3.9.1"
VERSIONS = ("2.20.25", "3.0.0", "3.0.11", "3.2.15", "3.4.14", "3.6.29", "3.8.8", NEWEST)
LOCKS = Path(__file__).parent / "locks"
RESULTS = Path(__file__).parent / "results.json"
DOCUMENT = Path(__file__).parents[2] / "docs" / "versions.md"
BEGIN, END = "<!-- results: begin -->\n", "<!-- results: end -->\n"


class Way(msgspec.Struct, frozen=True):
    """One import: how many resources, how many arrived, and what did not."""

    resources: int
    arrived: int
    without_fields: int
    dropped: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()


class Result(msgspec.Struct, frozen=True):
    """Both ways between a version and the newest, and what the old server's census left out."""

    newest: Way
    old: Way | None
    left_out: dict[str, int]


def recorded() -> dict[str, Result]:
    """The results by version, as they were written down."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=dict[str, Result]) if RESULTS.exists() else {}


def write(version: str, result: Result) -> None:
    """Write down the result of a version, and all tables again."""
    results = {name: found for name in VERSIONS if (found := {**recorded(), version: result}.get(name))}
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=2) + b"\n")
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    DOCUMENT.write_text(before + BEGIN + rendered(results) + END + after)


def rendered(results: dict[str, Result]) -> str:
    """The tables, in Markdown."""
    lines = [
        f"| Prefect | to {NEWEST} | dropped | from {NEWEST} | of these without some fields | refused | failed |",
        "|---|---|---|---|---|---|---|",
        *(_row(version, result) for version, result in results.items()),
        "",
        f"| Prefect | does not hold, of what {NEWEST} has |",
        "|---|---|",
        *(f"| {version} | {_listed(way)} |" for version, way in _imported_into_old(results)),
        "",
        f"| Prefect | failed there, of what {NEWEST} has, and what the report says |",
        "|---|---|",
        *(f"| {version} | {_places(way.failed)} |" for version, way in _imported_into_old(results) if way.failed),
    ]
    return "\n".join(lines) + "\n"


def _imported_into_old(results: dict[str, Result]) -> list[tuple[str, Way]]:
    return [(version, result.old) for version, result in results.items() if result.old is not None]


def _row(version: str, result: Result) -> str:
    new, old = result.newest, result.old
    there = ("-", "", "", "")
    if old is not None:
        there = (_arrived(old), str(old.without_fields), str(len(old.refused)), str(len(old.failed)))
    return f"| {' | '.join((version, _arrived(new), _places(new.dropped), *there))} |"


def _arrived(way: Way) -> str:
    return f"{way.arrived} of {way.resources}"


def _listed(way: Way) -> str:
    return _places((*way.dropped, *way.refused)) or "-"


def _places(places: tuple[str, ...]) -> str:
    return ", ".join(f"`{each}`" for each in places)
