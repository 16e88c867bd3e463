"""The parts that layouts are made of: titles, headings, tables, cut lists, short texts."""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from bundle.report.escaping import escape
from bundle.report.model import Report, Resource, Side

SHOWN = 10
SHOWN_AGAIN = 3
"""The notes of the export were shown at the export."""
_WIDTH = 80
VALUE_CHARACTERS = 120
_KIND_CHARACTERS = 32
Lines = Iterable[str]
T = TypeVar("T")
Layout = Callable[[Report, int | None], Iterator[Lines]]


def by_reason(resources: Iterable[Resource]) -> list[tuple[str, list[Resource]]]:
    reasons: dict[str, list[Resource]] = defaultdict(list)
    for each in resources:
        reasons[each.reason].append(each)
    return sorted(reasons.items())


def title(report: Report, verb: str, preposition: str) -> str:
    side = report.destination or report.source
    subject = server_name(side)
    file = report.bundle.file if report.bundle else None
    if report.command == "export":
        return f"{verb} {subject} {preposition} {file_name(file)}"
    if report.command == "transfer" and report.source:
        return f"{verb} {server_name(report.source)} {preposition} {subject}"
    return f"{verb} {file_name(file)} {preposition} {subject}"


def server_name(side: Side | None) -> str:
    """A server by its name and URL, once where they are the same."""
    if side is None:
        return ""
    return escape(side.url) if side.name == side.url else f"{escape(side.name)} ({escape(side.url)})"


def file_name(file: str | None) -> str:
    return "the bundle" if file in {None, "-"} else escape(str(file))


def side(side: Side) -> str:
    return escape(side.name) if side.name == side.url else f"{escape(side.name)} ({escape(side.url)})"


def table(kinds: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> Lines:
    rows = [(escape(kind), counts) for kind, counts in kinds.items() if counts["total"]]
    width = min(max((len(kind) for kind, _ in rows), default=4), _KIND_CHARACTERS)
    if rows:
        yield f"{'kind':<{width}}" + "".join(f"  {name.replace('_', ' '):>9}" for name in names)
    for kind, counts in rows:
        yield f"{kind:<{width}}" + "".join(f"  {counts[name]:>9}" for name in names)


def clipped(text: str, start: int = 0, *, size: int = VALUE_CHARACTERS) -> str:
    end = start + size
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"


def heading(code: str, count: int, meaning: str) -> Lines:
    text = f"{escape(code)} ({count}){': ' + meaning if meaning else ''}"
    return textwrap.wrap(text, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def least(limit: int | None) -> int | None:
    return limit if limit is None else min(limit, SHOWN_AGAIN)


def cut(items: Sequence[T], limit: int | None) -> Sequence[T]:
    return items if limit is None else items[:limit]


def rest_of(items: Sequence[object], limit: int | None, indent: str = "  ") -> Lines:
    if limit is not None and len(items) > limit:
        yield f"{indent}… and {len(items) - limit} more (-v shows all)"


def joined(items: Sequence[str], limit: int | None) -> str:
    more = f" and {len(items) - limit} more" if limit is not None and len(items) > limit else ""
    return ", ".join(map(escape, cut(items, limit))) + more


def short(value: object) -> str:
    return escape(clipped(as_text(value)))


def as_text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
