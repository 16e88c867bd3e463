"""What a bundle would run and read, in lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bundle.plan.execution_surface import SURFACE_CODES, Surface
from bundle.report.escaping import escape
from bundle.report.model import Report
from bundle.report.parts import Lines, cut, heading, least, rest_of

_CHARACTERS = 200


def surface_lines(report: Report, limit: int | None) -> Lines:
    """What would be run and read, by what it is; equal texts once."""
    found = report.surface
    if found is None or not found.counts:
        return
    yield "what it would run, and read there:"
    for code, count in found.counts.items():
        yield from (f"  {line}" for line in heading(code, count, SURFACE_CODES[code]))
        texts: dict[str, list[Surface]] = defaultdict(list)
        for each in found.entries:
            if each.what == code:
                texts[each.text].append(each)
        shown = list(texts.items())
        for text, places in cut(shown, least(limit)):
            yield from _places(text, places, is_whole=limit is None)
        yield from rest_of(shown, least(limit), "    ")


def _places(text: str, places: Sequence[Surface], *, is_whole: bool) -> Lines:
    if is_whole:
        yield f"    {escape(text)}"
        yield from (f"      {escape(each.key)} at {escape(each.pointer)}" for each in places)
        return
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    short = text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}… ({len(text)} characters: -v)"
    yield f"    {escape(short)}  ({escape(places[0].key)}{more})"
