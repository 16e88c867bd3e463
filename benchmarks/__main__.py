"""``python -m benchmarks``: run the cases, print one table, write ``results.json``."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from benchmarks import bundles, growth, incumbent, moves, startup
from benchmarks.measure import Row, machine, tell
from benchmarks.places import Place, Places

_HERE = Path(__file__).parent
_PLOT = _HERE.parent / "docs" / "growth.svg"


class Settings(msgspec.Struct, frozen=True):
    """How much is measured."""

    sizes: tuple[str, ...]
    repetitions: int
    at_once: tuple[int, ...]
    movable: tuple[int, int]
    arrivals: tuple[str, ...]
    bundles: tuple[int, ...]
    startups: int
    growth: tuple[int, ...]
    plot: Path | None


FULL = Settings(
    sizes=("small", "full"),
    repetitions=3,
    at_once=(1, 2, 4, 8),
    movable=(200, 20),
    arrivals=("small", "bulk"),
    bundles=(10_000, 100_000, 1_000_000),
    startups=25,
    growth=(100, 300, 1_000, 3_000, 10_000),
    plot=_PLOT,
)
SMOKE = Settings(
    sizes=("small",),
    repetitions=1,
    at_once=(1,),
    movable=(5, 1),
    arrivals=(),
    bundles=(10_000, 20_000),
    startups=1,
    growth=(50, 100),
    plot=None,
)


class Session:
    """The servers of one run, the sources filled once each."""

    def __init__(self, settings: Settings, places: Places, directory: Path) -> None:
        self.settings = settings
        self.places = places
        self.directory = directory
        self._data: dict[str, bytes] = {}

    def data(self, size: str) -> bytes:
        """A bundle of the source of a size."""
        if size not in self._data:
            source = self.places.sqlite(f"source-{size}")
            moves.fill(source.url, size)
            self._data[size], _ = moves.export(source.url)
        return self._data[size]

    def source(self, size: str) -> Place:
        self.data(size)
        return self.places.sqlite(f"source-{size}")

    def export(self) -> Iterable[Row]:
        repetitions = self.settings.repetitions
        return [
            each
            for size in self.settings.sizes
            for each in moves.measure_export(self.source(size), size=size, repetitions=repetitions)
        ]

    def import_sqlite(self) -> Iterable[Row]:
        return self._import("sqlite")

    def import_postgresql(self) -> Iterable[Row]:
        return self._import("postgresql")

    def _import(self, name: str) -> Iterable[Row]:
        repetitions, at_once = self.settings.repetitions, self.settings.at_once
        for size in self.settings.sizes:
            data = self.data(size)
            place = self.places.sqlite("destination") if name == "sqlite" else self.places.postgresql()
            yield from moves.measure_import(place, data, size=size, repetitions=repetitions, at_once=at_once)
            yield from moves.measure_second(place, data, size=size, repetitions=repetitions)

    def prefect_transfer(self) -> Iterable[Row]:
        variables, pools = self.settings.movable
        return [
            *incumbent.measure(
                self.places, self.directory, variables=variables, pools=pools, repetitions=self.settings.repetitions
            ),
            *(
                each
                for size in self.settings.arrivals
                for each in incumbent.measure_arrivals(self.places, self.source(size), self.directory, size=size)
            ),
        ]

    def bundle(self) -> Iterable[Row]:
        return bundles.measure(self.directory, self.settings.bundles, self.settings.repetitions)

    def startup(self) -> Iterable[Row]:
        return startup.measure(self.settings.startups)

    def growth(self) -> Iterable[Row]:
        destination = self.places.sqlite("destination")
        return growth.measure(destination, self.directory, self.settings.growth, self.settings.plot)


CASES: dict[str, Callable[[Session], Iterable[Row]]] = {
    "startup": Session.startup,
    "export": Session.export,
    "import-sqlite": Session.import_sqlite,
    "import-postgresql": Session.import_postgresql,
    "prefect-transfer": Session.prefect_transfer,
    "bundle": Session.bundle,
    "growth": Session.growth,
}


def main() -> None:
    options = _options()
    settings = SMOKE if options.smoke else FULL
    if options.repetitions:
        settings = msgspec.structs.replace(settings, repetitions=options.repetitions)
    if options.at_once:
        settings = msgspec.structs.replace(settings, at_once=tuple(options.at_once))
    known: dict[str, object] = {
        "machine": machine(),
        "run": "smoke" if options.smoke else "full",
        "started": time.strftime("%Y-%m-%d"),
    }
    rows: list[Row] = []
    if not options.only:
        options.output.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="xfer-benchmarks-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # PostgreSQL may run as another user
        os.environ.update(HOME=name, PREFECT_HOME=str(directory / ".prefect"))
        with Places(directory) as places:
            session = Session(settings, places, directory)
            for case in options.only or CASES:
                tell(case)
                found = list(CASES[case](session))
                rows += found
                _save(options.output, known, {case: found})
    print(_table(rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="little of everything, in a minute or two")
    parser.add_argument("--only", action="append", choices=CASES, metavar="CASE", help=f"one of {', '.join(CASES)}")
    parser.add_argument("--repetitions", type=int, help="how often to repeat what is repeated")
    parser.add_argument(
        "--at-once",
        type=int,
        action="append",
        metavar="N",
        help="bare writes in flight, in place of 1, 2, 4 and 8",
    )
    parser.add_argument("--output", type=Path, default=_HERE / "results.json", help="where the results are written")
    return parser.parse_args()


def _save(path: Path, known: dict[str, object], cases: dict[str, list[Row]]) -> None:
    """Put the rows of some cases into the file; those of other cases stay."""
    kept = json.loads(path.read_text(encoding="utf-8"))["cases"] if path.exists() else {}
    for case, rows in cases.items():
        kept[case] = [{**msgspec.to_builtins(each), "verdict": each.verdict} for each in rows]
    path.write_text(json.dumps({**known, "cases": kept}, indent=1) + "\n", encoding="utf-8")


def _table(rows: list[Row]) -> str:
    """All rows as a Markdown table."""
    head = ["| case | what | measured | bar | verdict | figures | load |", "|---|---|---:|---:|---|---|---:|"]
    return "\n".join([*head, *map(_line, rows)])


def _line(each: Row) -> str:
    bar = "" if each.bar is None else f"{'≤' if each.way == 'at most' else '≥'} {each.bar:,g}"
    value = f"{each.value:,.0f}" if each.value >= 1000 else f"{each.value:.3g}"  # noqa: PLR2004 - where digits end
    return f"| {each.case} | {each.what} | {value} {each.unit} | {bar} | {each.verdict} | {each.note} | {each.load} |"


if __name__ == "__main__":
    main()
