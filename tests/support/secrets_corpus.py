"""The corpus of secrets that no schema declares: bodies in which ``«…»`` encloses each secret.

``fixtures/secrets/`` has a file for each sort of place and a body a line. ``¦`` stands inside tokens of known makers,
so that no scanner takes the invented ones for real; it is taken out here, as the marks are.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

DIRECTORY = Path(__file__).parents[2] / "fixtures" / "secrets"
_MARKED = re.compile("«(.*?)»", re.DOTALL)


class Case(NamedTuple):
    """One body; ``secrets`` has the secret parts of each place that holds any."""

    file: str
    body: Any
    secrets: dict[str, list[str]]


def cases() -> Iterator[Case]:
    """All of the corpus."""
    for file in sorted(DIRECTORY.glob("*.ndjson")):
        for line in file.read_text().splitlines():
            secrets: dict[str, list[str]] = {}
            yield Case(file.stem, _unmarked(json.loads(line.replace("¦", "")), "", secrets), secrets)


def _unmarked(value: Any, at: str, secrets: dict[str, list[str]]) -> Any:
    if isinstance(value, dict):
        return {name: _unmarked(each, f"{at}/{_escaped(name)}", secrets) for name, each in value.items()}
    if isinstance(value, list):
        return [_unmarked(each, f"{at}/{place}", secrets) for place, each in enumerate(value)]
    if isinstance(value, str) and "«" in value:
        secrets[at] = _MARKED.findall(value)
        return value.replace("«", "").replace("»", "")
    return value


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
