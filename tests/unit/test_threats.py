"""What docs/threats.md promises is held by tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
THREATS = (ROOT / "docs" / "threats.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[^`]+)`", THREATS)))


@pytest.mark.parametrize("named", NAMED)
def test_every_named_test_is_there(named: str) -> None:
    """A promise names its tests by file and name."""
    path, _, name = named.partition("::")
    assert re.search(rf"(?m)^(?:(?:async )?def {name}\(|{name} = )", (ROOT / path).read_text())


def test_every_promise_names_a_test() -> None:
    """No promise stands without a test."""
    rows = [line for line in THREATS.splitlines() if line.startswith("| ") and not line.startswith("| promise ")]

    assert rows
    assert [row for row in rows if "`tests/" not in row.rpartition(" | ")[2]] == []
