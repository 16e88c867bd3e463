"""The documentation says what the code does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

import bundle
from bundle.archive.faults import CHECK_CODES
from bundle.archive.retention import RETENTION_REASONS
from bundle.cli import COMMANDS
from bundle.container.limits import Limits
from bundle.environment.reader import READ_DEPTH
from bundle.errors import ExitCode
from bundle.files import MIB, FileLimits
from bundle.model import FINDING_CODES, LEFT_OUT_REASONS
from bundle.operations.cutover import SWITCH_REASONS
from bundle.operations.undo import ROLLBACK_REASONS
from bundle.plan.actions import REASONS
from bundle.plan.execution_surface import SURFACE_CODES
from bundle.server.limits import ServerLimits
from bundle.server.profiles import CONNECTION_SETTINGS
from bundle.trust.reasons import TEXTS
from versions.table import LOCKS, VERSIONS, recorded, rendered

ROOT = Path(__file__).parents[2]
CLI = (ROOT / "docs" / "cli.md").read_text()
LIMITS = (ROOT / "docs" / "limits.md").read_text()
README = (ROOT / "README.md").read_text()


def table(text: str, heading: str) -> dict[str, str]:
    """The first two columns of the table under a heading, backquotes taken off."""
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"(?m)^\| (.+?) \| (.+?) \|", section)[1:]
    return {first.strip("`"): second for first, second in rows}


def in_words(number: int, name: str) -> str:
    """A limit as the page has it."""
    if not name.endswith("_bytes"):
        return str(number)
    return f"{number // MIB} MiB" if number >= MIB else f"{number // 1024} KiB"


@pytest.mark.parametrize(
    ("heading", "limits"), [("Bundles", Limits()), ("Servers", ServerLimits()), ("Files", FileLimits())]
)
def test_limits_are_documented(heading: str, limits: msgspec.Struct) -> None:
    """docs/limits.md lists exactly the bounds that there are, with their values."""
    bounds = {name: in_words(number, name) for name, number in msgspec.structs.asdict(limits).items()}
    assert table(LIMITS, heading) == bounds
    assert f"deeper than {READ_DEPTH} levels" in LIMITS


@pytest.mark.parametrize(
    ("heading", "codes"),
    [
        ("Reason codes", REASONS),
        ("Rollback", ROLLBACK_REASONS),
        ("Cutover", SWITCH_REASONS),
        ("What it would run", SURFACE_CODES),
        ("Why a file is not trusted", TEXTS),
        ("Findings", FINDING_CODES),
        ("Left out", LEFT_OUT_REASONS),
    ],
)
def test_codes_are_documented(heading: str, codes: Mapping[str, str]) -> None:
    """docs/cli.md lists exactly the codes that there are, with their meanings."""
    assert table(CLI, heading) == dict(codes)


def test_codes_of_the_archive_are_documented() -> None:
    """docs/archive.md has the texts of the program, word for word."""
    page = (ROOT / "docs" / "archive.md").read_text()
    assert table(page, "What can go wrong, and what then") == CHECK_CODES
    assert table(page, "Retention") == RETENTION_REASONS


def test_commands_are_documented() -> None:
    """docs/cli.md lists exactly the commands that there are."""
    assert {row.split()[0] for row in table(CLI, "Commands")} == COMMANDS.keys()


def test_exit_codes_are_documented() -> None:
    """The README lists exactly the exit codes that there are."""
    assert {int(code) for code in table(README, "Exit codes")} == {int(code) for code in ExitCode}


def test_links_lead_somewhere() -> None:
    """Every relative link of the documentation names a file of the repository."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    broken = [
        (page.name, link)
        for page in pages
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
        if not (page.parent / link).exists()
    ]
    assert broken == []


def test_python_interface_is_there() -> None:
    """Every ``bundle.NAME`` that docs/api.md has in its table can be taken from the package."""
    names = re.findall(r"\| `bundle\.(\w+)\(", (ROOT / "docs" / "api.md").read_text())
    assert len(names) == 6
    assert all(callable(getattr(bundle, name)) and name in dir(bundle) for name in names)
    with pytest.raises(AttributeError, match="nonsense"):
        _ = bundle.nonsense


def test_settings_are_documented() -> None:
    """docs/profiles.md lists exactly the connection settings that are read."""
    page = (ROOT / "docs" / "profiles.md").read_text()
    assert table(page, "Settings").keys() == set(CONNECTION_SETTINGS)


def test_every_version_of_prefect_has_its_environment_and_its_row() -> None:
    """Each version in the matrix can be installed, is an environment of tox, and stands in the table as recorded."""
    listed = re.search(r"\[testenv:versions-\{(.*)\}\]", (ROOT / "tox.ini").read_text())
    assert listed
    assert tuple(listed[1].split(",")) == VERSIONS
    assert {each.stem for each in LOCKS.glob("*.txt")} == set(VERSIONS)
    assert tuple(recorded()) == VERSIONS
    assert rendered(recorded()) in (ROOT / "docs" / "versions.md").read_text()
