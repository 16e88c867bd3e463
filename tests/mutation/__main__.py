"""``python -m mutation``: change guards one by one, and see whether a unit test notices."""

from __future__ import annotations

import argparse
import compileall
import os
import py_compile
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import msgspec

from mutation.mutants import Mutant, mutants
from mutation.scores import Module, record
from mutation.tests import ROOT, Watched, fails, watch

HERE = Path(__file__).parent
SOURCES = ROOT / "src"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("modules", nargs="*", help="only modules whose path holds one of these, like plan/merge")
    parser.add_argument("--sample", type=int, help="as many mutants, drawn from all modules alike (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (default: 0)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="mutants at once")
    parser.add_argument(
        "--watched", type=Path, help="a file with what was seen of the tests; written if it is not there"
    )
    return parser.parse_args()


def _drawn(paths: Iterable[str], arguments: argparse.Namespace) -> list[Mutant]:
    """The mutants of this run: an equal share of every module, as far as it has them."""
    made = {path: list(mutants(path, (SOURCES / path).read_bytes())) for path in paths}
    for path, each in made.items():
        random.Random(f"{arguments.seed} {path}").shuffle(each)
    in_turn = sorted((place, path) for path, each in made.items() for place in range(len(each)))
    return [made[path][place] for place, path in in_turn[: arguments.sample]]


def _laws(wanted: list[str]) -> list[str]:
    """The modules that hold the laws, as ``modules.txt`` lists them."""
    patterns = (HERE / "modules.txt").read_text().split()
    paths = sorted({str(path.relative_to(SOURCES)) for each in patterns for path in SOURCES.glob(each)})
    return [path for path in paths if not wanted or any(each in path for each in wanted)]


class Copies:
    """Copies of the package to put mutants into, each used by one at a time."""

    def __init__(self, directory: Path, number: int) -> None:
        self._free: SimpleQueue[Path] = SimpleQueue()
        for each in range(number):
            copy = directory / str(each)
            shutil.copytree(SOURCES, copy, ignore=shutil.ignore_patterns("__pycache__"))
            checked = py_compile.PycInvalidationMode.CHECKED_HASH
            compileall.compile_dir(copy, quiet=1, invalidation_mode=checked)
            self._free.put(copy)

    def is_killed(self, mutant: Mutant, watched: Watched) -> bool:
        """Whether a test notices it; not if no test comes that way."""
        tests = watched.of(mutant.path, *mutant.lines)
        if not tests:
            return False
        copy = self._free.get()
        file = copy / mutant.path
        whole = file.read_bytes()
        try:
            file.write_bytes(mutant.source)
            timeout_seconds = 60 + 5 * sum(watched.seconds[each] for each in tests)
            return fails(tests, copy, chosen=copy / "tests.txt", timeout_seconds=timeout_seconds)
        finally:
            file.write_bytes(whole)
            self._free.put(copy)


def _equivalent() -> set[str]:
    """The mutants that change nothing anyone could notice; the line above each says why."""
    lines = (HERE / "equivalent.txt").read_text().splitlines()
    return {line for line in lines if line and not line.startswith("#")}


def _judged(drawn: list[Mutant], watched: Watched, jobs: int) -> Iterator[tuple[Mutant, bool]]:
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(jobs) as pool:
        copies = Copies(Path(directory), jobs)
        yield from zip(drawn, pool.map(lambda each: copies.is_killed(each, watched), drawn), strict=True)


def _day(path: str) -> str:
    """The day of the last commit that changed a module."""
    run = ["git", "log", "-1", "--format=%cs", "--", f"src/{path}"]
    return subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def _seen(file: Path | None) -> Watched:
    """What is known of the tests."""
    with tempfile.TemporaryDirectory() as directory:
        file = file or Path(directory) / "watched.json"
        return msgspec.json.decode(file.read_bytes(), type=Watched) if file.exists() else watch(file)


def main() -> int:
    """Run; the exit code is 1 if any mutant survived."""
    arguments = _arguments()
    drawn, equivalent = _drawn(_laws(arguments.modules), arguments), _equivalent()
    results = {path: Module(_day(path)) for path in {mutant.path for mutant in drawn}}
    for mutant in drawn:
        results[mutant.path].equivalent += mutant.name in equivalent
    judged = [each for each in drawn if each.name not in equivalent]
    for mutant, is_killed in _judged(judged, _seen(arguments.watched), arguments.jobs):
        module = results[mutant.path]
        if is_killed:
            module.killed += 1
        else:
            module.survived.append(f"{mutant.lines[0]}: `{mutant.before}` → `{mutant.after}`")
            print(f"survived: {mutant.name} (line {mutant.lines[0]})", flush=True)
    record(results)
    return 1 if any(each.survived for each in results.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
