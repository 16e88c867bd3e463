"""What a bundle would run and read, in lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from bundle.plan.execution_surface import SURFACE_CODES, Surface
from bundle.report.model import Report
from bundle.report.parts import Limit, Lines, again, cut, heading, rest_of

_CHARACTERS = 200


def surface_lines(report: Report, limit: Limit) -> Lines:
    """What would be run and read, by code; equal texts once."""
    found = report.surface
    if found is None or not found.counts:
        return
    yield "what it would run, and read at the destination:"
    for code, count in found.counts.items():
        yield from (f"  {line}" for line in heading(code, count, SURFACE_CODES[code]))
        texts: dict[str, list[Surface]] = defaultdict(list)
        for each in found.entries:
            if each.what == code:
                texts[each.text].append(each)
        shown = list(texts.items())
        for text, places in cut(shown, again(limit)):
            yield from _places(text, places, limit)
        yield from rest_of(shown, again(limit), "    ")


def _places(text: str, places: Sequence[Surface], limit: Limit) -> Lines:
    if limit is None:
        yield f"    {text}"
        yield from (f"      {each.key} at {each.pointer}" for each in places)
        return
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    short = text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]}… ({len(text)} characters: -v)"
    yield f"    {short}  ({places[0].key}{more})"
