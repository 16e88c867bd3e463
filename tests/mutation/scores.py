"""What became of the mutants of each module, kept in ``results.json`` and shown in ``docs/mutation.md``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from mutation.tests import ROOT

RESULTS = Path(__file__).with_name("results.json")
PAGE = ROOT / "docs" / "mutation.md"
_HEADING = "## Scores\n"


class Module(msgspec.Struct):
    """One module: the day of its last commit when it was looked at, and how its mutants ended."""

    date: str
    killed: int = 0
    equivalent: int = 0
    survived: list[str] = msgspec.field(default_factory=list)

    @property
    def judged(self) -> int:
        """How many mutants were judged, equivalent ones aside."""
        return self.killed + len(self.survived)


def recorded() -> dict[str, Module]:
    """The results of the last run of each module."""
    return msgspec.json.decode(RESULTS.read_bytes(), type=dict[str, Module]) if RESULTS.exists() else {}


def record(results: dict[str, Module]) -> None:
    """Put results in the place of earlier ones of the same modules, and show them."""
    everything = dict(sorted((recorded() | results).items()))
    RESULTS.write_bytes(msgspec.json.format(msgspec.json.encode(everything)) + b"\n")
    before = PAGE.read_text().partition(_HEADING)[0]
    PAGE.write_text(before + _HEADING + "\n" + table(everything))


def table(results: Mapping[str, Module]) -> str:
    """The scores as Markdown, and what survived."""
    rows = [
        f"| {path.removeprefix('bundle/')} | {each.date} | {each.judged} | {each.killed} | {_share(each)} |"
        for path, each in results.items()
    ]
    whole = Module("", sum(each.killed for each in results.values()))
    whole.survived = [name for each in results.values() for name in each.survived]
    rows.append(f"| all | | {whole.judged} | {whole.killed} | {_share(whole)} |")
    head = "| module | date | mutants | killed | share |\n|---|---|---|---|---|\n"
    survivors = [f"* `{path}` {name}" for path, each in results.items() for name in each.survived]
    return head + "\n".join(rows) + "\n\nSurvivors, by line:\n\n" + "\n".join(survivors or ["none"]) + "\n"


def _share(module: Module) -> str:
    return f"{100 * module.killed // module.judged} %" if module.judged else "none"
