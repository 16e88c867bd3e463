"""The parts that layouts are made of: names, tables, headings, lists that are cut, short values.

A layout yields blocks of lines. None of them is escaped here: ``text.render`` does that, for every line.
"""

from __future__ import annotations

import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from bundle.archive.address import is_state
from bundle.report.counting import Counts
from bundle.report.model import Report, Resource, Side

SHOWN = 10
SHOWN_AGAIN = 3
"""What the export has shown before is shown at import in short."""
VALUE_CHARACTERS = 120
_WIDTH = 80
_KIND_CHARACTERS = 32
# Not worth a word where there are none.
_RARE = frozenset({"blocked", "not_selected", "begun", "not_tried", "built_in"})

T = TypeVar("T")
Lines = Iterable[str]
Limit = int | None
"""How many items of a list are shown; None for all of them."""
Layout = Callable[[Report, Limit], Iterator[Lines]]


# -- Names ------------------------------------------------------------------------------------------------------------


def server_name(side: Side | None) -> str:
    """A server by its name and URL, once where they are the same."""
    if side is None:
        return ""
    return side.url if side.name == side.url else f"{side.name} ({side.url})"


def server_argument(side: Side) -> str:
    """A server as a command takes it; a state says of which server it is, but not what it is called here."""
    return "DESTINATION" if is_state(side.name) else side.name


def file_name(report: Report) -> str:
    """The bundle as the user calls it."""
    file = report.bundle.file if report.bundle else None
    return "the bundle" if file is None or file == "-" else file


def file_argument(report: Report) -> str:
    """The bundle as a command to copy names it; FILE, for the user to fill in, where it is in none."""
    file = report.bundle.file if report.bundle else None
    return "FILE" if file is None or file == "-" else file


# -- Counts -----------------------------------------------------------------------------------------------------------


def table(kinds: Counts, names: Sequence[str]) -> Lines:
    """A line for each kind that has any."""
    rows = [(kind, counts) for kind, counts in kinds.items() if counts["total"]]
    width = min(max((len(kind) for kind, _ in rows), default=4), _KIND_CHARACTERS)
    names = [name for name in names if name not in _RARE - {"blocked"} or any(counts[name] for _, counts in rows)]
    if rows:
        yield f"{'kind':<{width}}" + "".join(f"  {_words(name):>9}" for name in names)
    for kind, counts in rows:
        yield f"{kind:<{width}}" + "".join(f"  {counts[name]:>9}" for name in names)


def count_line(counts: Mapping[str, int], names: Sequence[str]) -> str:
    """``25 succeeded, 0 skipped, 0 failed (25 of 25 accounted for)``; blocked ones only where there are any."""
    parts = [f"{counts[name]} {_words(name)}" for name in names if counts[name] or name not in _RARE]
    return f"{', '.join(parts)} ({counts['accounted_for']} of {counts['total']} accounted for)"


def _words(name: str) -> str:
    return name.replace("_", " ")


# -- Lists ------------------------------------------------------------------------------------------------------------


def is_trial(report: Report) -> bool:
    """Whether the report says what would be done, not what was done."""
    return any(each.state is None for each in report.resources)


def by_reason(resources: Iterable[Resource]) -> list[tuple[str, list[Resource]]]:
    """The resources under their reasons, which are sorted."""
    reasons: dict[str, list[Resource]] = defaultdict(list)
    for each in resources:
        reasons[each.reason].append(each)
    return sorted(reasons.items())


def heading(code: str, count: int, meaning: str) -> Lines:
    """``rejected (2): refused by the destination``, in lines of 80 columns."""
    text = f"{code} ({count}){': ' + meaning if meaning else ''}"
    return textwrap.wrap(
        text,
        _WIDTH,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
        expand_tabs=False,
        replace_whitespace=False,
    )


def again(limit: Limit) -> Limit:
    """The limit for what was shown before."""
    return limit if limit is None else min(limit, SHOWN_AGAIN)


def cut(items: Sequence[T], limit: Limit) -> Sequence[T]:
    """As many items as are shown."""
    return items if limit is None else items[:limit]


def rest_of(items: Sequence[object], limit: Limit, indent: str = "  ") -> Lines:
    """A line on the items that are not shown, if there are any."""
    if limit is not None and len(items) > limit:
        yield f"{indent}… and {len(items) - limit} more (-v shows all)"


def joined(items: Sequence[str], limit: Limit) -> str:
    """Items on one line."""
    more = f" and {len(items) - limit} more" if limit is not None and len(items) > limit else ""
    return ", ".join(cut(items, limit)) + more


# -- Values -----------------------------------------------------------------------------------------------------------


def as_text(value: object) -> str:
    """A text as it is, any other value as JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()


def clipped(text: str, start: int = 0, *, size: int = VALUE_CHARACTERS) -> str:
    """A part of a text, with marks where something is missing."""
    end = start + size
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"


def short(value: object) -> str:
    """The beginning of a value."""
    return clipped(as_text(value))
