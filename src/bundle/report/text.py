"""A report as text for people: what was done, what needs attention, and the sum as the last line.

Rules: 80 columns; no colours; everything that came from a bundle or a server is escaped; long lists
are cut, with the number of those left out, unless ``is_whole`` is asked for.
"""

from __future__ import annotations

import textwrap
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

import msgspec

from bundle.model import FINDING_CODES, LEFT_OUT_REASONS, Json, LeftOut
from bundle.operations.cutover import SWITCH_REASONS
from bundle.operations.undo import ROLLBACK_REASONS
from bundle.plan.actions import REASONS
from bundle.plan.execution_surface import SURFACE_CODES, Surface
from bundle.report import check, demo, profiles
from bundle.report.account import CHANGES, FATES, NOT_SELECTED, PLANNED, STATES, VERIFIED
from bundle.report.escaping import escape
from bundle.report.model import FieldDifference, NextRuns, Report, Resource, Side

SHOWN = 10
SHOWN_AGAIN = 3
"""The notes of the export were shown at the export."""
_WIDTH = 80
_VALUE_CHARACTERS = 120
_ITEM_CHARACTERS = 400
"""A schedule with its parameters, which is what lists mostly differ in."""
_CONTEXT_CHARACTERS = 30
_KIND_CHARACTERS = 32

# Nothing to do about these.
_AS_WANTED = frozenset(
    {
        "created",
        "created-without-secret",
        "completed",
        "secret-filled",
        "updated",
        "exists-same",
        "waits-for",
        NOT_SELECTED,
    }
)
_UNDONE = STATES[:3]
# Not worth a word where there are none.
_RARE = frozenset({"blocked", "not_selected"})
# The glyph says it.
_PLAIN = frozenset({"created", "exists-same", "created-without-secret", "added", "removed", "changed"})
_GLYPHS: Mapping[str, str] = {
    "create": "+",
    "complete": "+",
    "fill": "+",
    "update": "~",
    "unsupported": "!",
    "blocked": "!",
    "skip": "=",
    "add": "+",
    "remove": "-",
    "change": "~",
}
_LEGEND = "+ create or complete   ~ differs (updated or left)   = the same   ! cannot be   ? a secret is needed"

Lines = Iterable[str]
T = TypeVar("T")


def render(report: Report, *, is_whole: bool = False) -> str:
    """The text of a report, without a final line break; ``is_whole``: every list in full."""
    limit = None if is_whole else SHOWN
    layout = _LAYOUTS.get(report.command, _result)
    if report.command in {"import", "transfer"} and any(each.state is None for each in report.resources):
        layout = _plan
    blocks = [list(block) for block in layout(report, limit)]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def count_line(counts: Mapping[str, int], names: Sequence[str]) -> str:
    """``25 succeeded, 0 skipped, 0 failed (25 of 25 accounted for)``; blocked ones only where there are any."""
    parts = [f"{counts[name]} {name.replace('_', ' ')}" for name in names if counts[name] or name not in _RARE]
    return f"{', '.join(parts)} ({counts['accounted_for']} of {counts['total']} accounted for)"


# The layouts: blocks of lines, an empty line between them


def _export(report: Report, limit: int | None) -> Iterator[Lines]:
    yield [_title(report, "Exported", "to")]
    yield _table(report.kinds, ("total", *FATES))
    yield from _notes(report, limit)
    yield [count_line(report.summary, FATES)]


def _result(report: Report, limit: int | None) -> Iterator[Lines]:
    yield [_title(report, "Transferred" if report.command == "transfer" else "Imported", "into")]
    yield from _notes(report, _least(limit), has_slots=False)
    yield _table(report.kinds, ("total", *STATES))
    yield _attention(report.resources, limit)
    yield _dropped(report.resources, limit)
    yield _outstanding(report, limit)
    yield _inert(report)
    yield [count_line(report.summary, STATES)]


def _plan(report: Report, limit: int | None) -> Iterator[Lines]:
    yield [_title(report, "Plan for", "in")]
    yield from _notes(report, _least(limit), has_slots=False)
    yield [_LEGEND]
    yield _actions(report.resources, limit)
    yield _dropped(report.resources, limit)
    yield _surface(report, limit)
    yield _outstanding(report, limit)
    yield _inert(report)
    yield [_plan_line(report.summary)]


def _inspect(report: Report, limit: int | None) -> Iterator[Lines]:
    yield from _bundle(report)
    yield _table(report.kinds, ("total", *FATES))
    yield _waves(report)
    yield _keys(report.resources)
    yield _surface(report, limit)
    yield from _notes(report, limit)
    yield [count_line(report.summary, FATES)]


def _verify(report: Report, limit: int | None) -> Iterator[Lines]:
    yield from _bundle(report)
    if report.destination is not None:
        yield _drifted(report.resources, limit)
        yield _dropped(report.resources, limit)
        yield _outstanding(report, limit)
        yield [count_line(report.summary, VERIFIED)]
        return
    yield [f"intact: {count_line(report.summary, FATES)}"]


def _rollback(report: Report, limit: int | None) -> Iterator[Lines]:
    is_trial = any(each.state is None for each in report.resources)
    yield [_title(report, "Would take back" if is_trial else "Took back", "in")]
    yield _table(report.kinds, ("total", *_UNDONE))
    for reason, found in _by_reason(report.resources):
        yield [
            *_heading(reason, len(found), ROLLBACK_REASONS[reason]),
            *(f"  {escape(each.key)}{_needed_by(each)}" for each in _cut(found, limit)),
            *_rest(found, limit),
        ]
    yield [count_line(report.summary, _UNDONE)]


def _switch(report: Report, limit: int | None) -> Iterator[Lines]:
    is_trial = any(each.state is None for each in report.resources)
    yield [_switch_title(report, is_trial=is_trial)]
    yield _table(report.kinds, ("total", *STATES))
    for reason, found in _by_reason(report.resources):
        shown = [] if reason == "already" and limit is not None else _cut(found, limit)
        yield [
            *_heading(reason, len(found), SWITCH_REASONS[reason]),
            *(f"  {escape(each.key)}{_because(each)}{_needed_by(each)}" for each in shown),
            *(_rest(found, limit) if shown else ()),
        ]
    yield _next_runs(report.next_runs, limit)
    yield _notes_of_reading(report)
    yield [count_line(report.summary, STATES)]


def _switch_title(report: Report, *, is_trial: bool) -> str:
    verb, side = "Would switch" if is_trial else "Switched", report.destination or report.source
    subject = _server(side)
    file = _file_name(report.bundle.file) if report.bundle else ""
    if report.command == "activate":
        return f"{verb} on in {subject} what {file} has on"
    kept = report.bundle is not None and report.bundle.file is not None and side is not None
    back = f"; to switch it on again: xfer activate {file} --to {escape(side.name)}" if kept and side else ""
    return f"{verb} off in {subject}{back}"


def _by_reason(resources: Iterable[Resource]) -> list[tuple[str, list[Resource]]]:
    reasons: dict[str, list[Resource]] = defaultdict(list)
    for each in resources:
        reasons[each.reason].append(each)
    return sorted(reasons.items())


def _next_runs(runs: Sequence[NextRuns], limit: int | None) -> Lines:
    if runs:
        yield f"next runs, by schedule ({len(runs)}):"
    for each in _cut(runs, limit):
        yield f"  {escape(each.key)}  {escape(each.schedule)}"
        yield f"      {', '.join(each.times) or 'none: it has ended'}" if each.times is not None else "      not told"
    yield from _rest(runs, limit)


def _drifted(resources: Sequence[Resource], limit: int | None) -> Lines:
    """What the destination lacks, and where it differs."""
    for resource in resources:
        if resource.action not in {"skip", "complete"}:
            yield f"! {escape(resource.key)}  (missing)"
        elif resource.reason not in {"exists-same", NOT_SELECTED}:
            yield from _action(resource, limit)


def _diff(report: Report, limit: int | None) -> Iterator[Lines]:
    if report.source and report.destination:
        yield [f"Changes from {_side(report.source)} to {_side(report.destination)}"]
    yield ["+ added   - removed   ~ changed"]
    changed = [each for each in report.resources if each.action != "keep"]
    for kind in sorted({each.kind for each in changed}):
        yield [line for each in changed if each.kind == kind for line in _action(each, limit)]
    yield [count_line(report.summary, CHANGES)]


def _needed_by(resource: Resource) -> str:
    return f" (by {escape(', '.join(resource.waits_for))})" if resource.waits_for else ""


Layout = Callable[[Report, int | None], Iterator[Lines]]
_LAYOUTS: Mapping[str, Layout] = {
    "export": _export,
    "plan": _plan,
    "inspect": _inspect,
    "verify": _verify,
    "diff": _diff,
    "rollback": _rollback,
    "activate": _switch,
    "deactivate": _switch,
    "profiles": profiles.layout,
    "check": check.layout,
    "demo": demo.layout,
}


# The blocks


def _title(report: Report, verb: str, preposition: str) -> str:
    side = report.destination or report.source
    subject = _server(side)
    file = report.bundle.file if report.bundle else None
    if report.command == "export":
        return f"{verb} {subject} {preposition} {_file_name(file)}"
    if report.command == "transfer" and report.source:
        return f"{verb} {_server(report.source)} {preposition} {subject}"
    return f"{verb} {_file_name(file)} {preposition} {subject}"


def _server(side: Side | None) -> str:
    """A server by its name and URL, once where they are the same."""
    if side is None:
        return ""
    return escape(side.url) if side.name == side.url else f"{escape(side.name)} ({escape(side.url)})"


def _file_name(file: str | None) -> str:
    return "the bundle" if file in {None, "-"} else escape(str(file))


def _side(side: Side) -> str:
    return escape(side.name) if side.name == side.url else f"{escape(side.name)} ({escape(side.url)})"


def _bundle(report: Report) -> Iterator[Lines]:
    """What was verified; then, apart from it, what the bundle says of itself, which anybody can have written."""
    bundle = report.bundle
    if bundle is None:
        return
    yield [
        f"bundle:          {_file_name(bundle.file)}",
        f"format:          {escape(bundle.format)}",
        f"content digest:  {escape(bundle.content_digest)}",
    ]
    said = [*bundle.provenance.items(), *((f"selection {name}", value) for name, value in bundle.selection.items())]
    if said:
        yield [
            "the bundle says of itself:",
            *(f"  {_short(name)}: {_short(value)}" for name, value in said[:SHOWN]),
            *_rest(said, SHOWN),
        ]


def _waves(report: Report) -> Lines:
    waves = report.bundle.waves if report.bundle else ()
    if waves:
        yield "order of import:"
    for wave in waves:
        yield f"  {wave.wave:>3}  {', '.join(map(escape, wave.kinds))} ({wave.count})"


def _keys(resources: Sequence[Resource]) -> Lines:
    if resources:
        yield f"resources ({len(resources)}):"
    yield from (f"  {escape(key)}" for key in sorted(each.key for each in resources))


def _table(kinds: Mapping[str, Mapping[str, int]], names: Sequence[str]) -> Lines:
    rows = [(escape(kind), counts) for kind, counts in kinds.items() if counts["total"]]
    width = min(max((len(kind) for kind, _ in rows), default=4), _KIND_CHARACTERS)
    if rows:
        yield f"{'kind':<{width}}" + "".join(f"  {name.replace('_', ' '):>9}" for name in names)
    for kind, counts in rows:
        yield f"{kind:<{width}}" + "".join(f"  {counts[name]:>9}" for name in names)


def _attention(resources: Sequence[Resource], limit: int | None) -> Lines:
    """What is not as the bundle has it, by reason; what is blocked stands under what it waits for."""
    groups: dict[str, list[Resource]] = defaultdict(list)
    waiting = _by_root(resources)
    for resource in resources:
        if resource.reason not in _AS_WANTED or resource.key in waiting:
            groups[resource.reason].append(resource)
    for reason, group in groups.items():
        yield from _heading(reason, len(group), REASONS.get(reason, ""))
        for resource in _cut(group, limit):
            yield f"  {escape(resource.key)}{_because(resource)}"
            yield from _blocked(waiting.get(resource.key, ()), limit)
        yield from _rest(group, limit)
    yield from _waiting_elsewhere(waiting, [each for group in groups.values() for each in group], limit)


def _waiting_elsewhere(waiting: Mapping[str, Sequence[str]], told: Iterable[Resource], limit: int | None) -> Lines:
    """What waits for something that was not told of."""
    for root in sorted(waiting.keys() - {resource.key for resource in told}):
        yield f"! waiting for {escape(root)}, which is not there"
        yield from _blocked(waiting[root], limit)


def _because(resource: Resource) -> str:
    if resource.detail:
        return f": {escape(resource.detail)}"
    places = resource.unchangeable or [each.pointer for each in resource.differences]
    return f": {_joined(places, 3)}" if places else ""


def _blocked(keys: Sequence[str], limit: int | None) -> Lines:
    if keys:
        yield f"    blocked by it ({len(keys)}):"
    yield from (f"      {escape(key)}" for key in _cut(keys, limit))
    yield from _rest(keys, limit, "      ")


def _by_root(resources: Sequence[Resource]) -> dict[str, list[str]]:
    """What is blocked, under the first thing in its way that is not blocked itself."""
    waits = {each.key: each.waits_for for each in resources if each.reason == "waits-for" and each.waits_for}
    found: dict[str, list[str]] = defaultdict(list)
    for key in waits:
        found[_root(key, waits)].append(key)
    return dict(found)


def _root(key: str, waits: Mapping[str, tuple[str, ...]]) -> str:
    seen = {key}
    while key in waits:
        key = waits[key][0]
        if key in seen:
            break
        seen.add(key)
    return key


def _outstanding(report: Report, limit: int | None) -> Lines:
    slots = [each for each in report.secrets if each.state == "outstanding"]
    if slots:
        yield f"secrets outstanding ({len(slots)}): supply them with --secrets FILE, or as variables"
    for slot in _cut(slots, limit):
        yield f"  ? {escape(slot.slot)}"
        yield f"      {slot.variable}"
    yield from _rest(slots, limit)


def _inert(report: Report) -> Lines:
    if report.inert and report.destination is not None:
        file = _file_name(report.bundle.file) if report.bundle else "FILE"
        yield "what is new is switched off; to switch on what the bundle has on, with the same"
        yield "selection and overlay as here:"
        yield f"  xfer activate {file} --to {escape(report.destination.name)}"


def _surface(report: Report, limit: int | None) -> Lines:
    """What would be run and read, by what it is; equal texts once."""
    found = report.surface
    if found is None or not found.counts:
        return
    yield "what it would run, and read there:"
    for code, count in found.counts.items():
        yield from (f"  {line}" for line in _heading(code, count, SURFACE_CODES[code]))
        texts: dict[str, list[Surface]] = defaultdict(list)
        for each in found.entries:
            if each.what == code:
                texts[each.text].append(each)
        shown = list(texts.items())
        for text, places in _cut(shown, _least(limit)):
            yield from _places(text, places, is_whole=limit is None)
        yield from _rest(shown, _least(limit), "    ")


def _places(text: str, places: Sequence[Surface], *, is_whole: bool) -> Lines:
    if is_whole:
        yield f"    {escape(text)}"
        yield from (f"      {escape(each.key)} at {escape(each.pointer)}" for each in places)
        return
    more = f" and {len(places) - 1} more" if len(places) > 1 else ""
    yield f"    {escape(text)}  ({escape(places[0].key)}{more})"


def _dropped(resources: Iterable[Resource], limit: int | None) -> Lines:
    having = [each for each in resources if each.dropped_fields]
    if having:
        yield f"places that the destination's version does not hold, not sent ({len(having)}):"
    for resource in _cut(having, limit):
        yield f"  {escape(resource.key)}: {_joined(resource.dropped_fields, None)}"
    yield from _rest(having, limit)


def _notes(report: Report, limit: int | None, *, has_slots: bool = True) -> Iterator[Lines]:
    """What the export already knew: findings, what was left out, what changed meanwhile."""
    if has_slots:
        yield _placeholders(report, limit)
    yield _findings(report, limit)
    yield _left_out(report)
    yield _notes_of_reading(report)


def _notes_of_reading(report: Report) -> Lines:
    if report.changed_while_read:
        kinds = ", ".join(map(escape, report.changed_while_read))
        yield f"changed while it was read, so the bundle may mix two states: {kinds}"
    yield from (f"warning: {escape(each)}" for each in report.warnings)


def _placeholders(report: Report, limit: int | None) -> Lines:
    if report.secrets:
        yield f"secrets, each a placeholder to fill at import ({len(report.secrets)}):"
    for slot in _cut(report.secrets, limit):
        yield f"  ? {escape(slot.slot)} ({slot.type})"
        yield f"      {slot.variable}"
    yield from _rest(report.secrets, limit)


def _findings(report: Report, limit: int | None) -> Lines:
    groups: dict[str, list[str]] = defaultdict(list)
    for each in report.findings:
        detail = f": {escape(each.detail)}" if each.detail else ""
        groups[each.code].append(f"{escape(each.key)}{' at ' + escape(each.pointer) if each.pointer else ''}{detail}")
    for code, places in groups.items():
        yield from _heading(code, len(places), FINDING_CODES.get(code, ""))
        yield from (f"  {place}" for place in _cut(places, limit))
        yield from _rest(places, limit)


def _left_out(report: Report) -> Lines:
    groups: dict[str, list[LeftOut]] = defaultdict(list)
    for each in report.left_out:
        groups[each.reason].append(each)
    for reason, group in groups.items():
        yield from _heading(
            f"left out at export, {reason}", sum(each.count for each in group), LEFT_OUT_REASONS.get(reason, "")
        )
        for each in group:
            names = f": {_joined(each.names, 5)}" if each.names else ""
            yield f"  {each.count} {escape(each.kind)}{names}"


# The plan


def _actions(resources: Sequence[Resource], limit: int | None) -> Lines:
    """What is to be done; what is blocked stands under what it waits for."""
    same = Counter(each.kind for each in resources if each.reason == "exists-same")
    waiting = _by_root(resources)
    for resource in resources:
        is_news = limit is None or resource.reason not in {"exists-same", NOT_SELECTED}
        if (is_news and resource.reason != "waits-for") or resource.key in waiting:
            yield from _action(resource, limit)
            yield from _blocked(waiting.get(resource.key, ()), limit)
    yield from _waiting_elsewhere(waiting, resources, limit)
    if limit is not None:
        yield from (f"= {count} {escape(kind)} the same" for kind, count in sorted(same.items()))


def _action(resource: Resource, limit: int | None) -> Lines:
    glyph = "~" if resource.differences else _GLYPHS[resource.action]
    detail = f": {escape(resource.detail)}" if resource.detail else ""
    why = "" if resource.reason in _PLAIN else f"  ({resource.reason}{detail})"
    waits = f" waits for {_joined(resource.waits_for, 3)}" if resource.waits_for else ""
    yield f"{glyph} {escape(resource.key)}{why}{waits}"
    for each in _cut(resource.differences, limit):
        yield from _difference(each, limit, is_kept=each.pointer in resource.unchangeable)
    yield from _rest(resource.differences, limit, "    ")
    yield from (f"    ? {escape(slot)}" for slot in resource.missing_secrets)


def _difference(each: FieldDifference, limit: int | None, *, is_kept: bool) -> Lines:
    yield f"    {escape(each.pointer) or '/'}{'  (cannot be changed)' if is_kept else ''}"
    if each.is_hidden:
        yield "      differs; it looks like a secret and is not shown"
        return
    for mark, values in zip("-+", _apart(each.destination, each.bundle, limit), strict=True):
        yield from (f"      {mark} {escape(value)}" for value in _cut(values, limit))
        yield from _rest(values, limit, "      ")


def _apart(older: Json, newer: Json, limit: int | None) -> tuple[Sequence[str], Sequence[str]]:
    """Both values as short texts in which the difference can be seen.

    Of long lists these are the items that only one side has, of other long values the parts around the difference.
    """
    before, after = _text(older), _text(newer)
    if limit is None or max(len(before), len(after)) <= _VALUE_CHARACTERS:
        return [before], [after]
    if isinstance(older, list) and isinstance(newer, list):
        gone, come = _besides(older, newer), _besides(newer, older)
        if gone or come:
            return gone, come
    return _around(before, after)


def _besides(items: Sequence[Json], others: Sequence[Json]) -> list[str]:
    known = {_text(each) for each in others}
    return [_clipped(text, size=_ITEM_CHARACTERS) for text in map(_text, items) if text not in known]


def _around(before: str, after: str) -> tuple[Sequence[str], Sequence[str]]:
    """Both texts from a little before the place where they part."""
    same = next((place for place, (a, b) in enumerate(zip(before, after, strict=False)) if a != b), 0)
    start = same - _CONTEXT_CHARACTERS if same > _VALUE_CHARACTERS // 2 else 0
    return [_clipped(before, start)], [_clipped(after, start)]


def _clipped(text: str, start: int = 0, *, size: int = _VALUE_CHARACTERS) -> str:
    end = start + size
    return f"{'…' if start else ''}{text[start:end]}{'…' if len(text) > end else ''}"


def _plan_line(summary: Mapping[str, int]) -> str:
    counts = {**summary, "delete": 0, "secrets needed": summary["secrets_outstanding"]}
    always = ("create", "update", "delete", "unchanged")
    others = (*(name for name in PLANNED if name not in always), "secrets needed")
    parts = [
        f"{counts[name]} {name.replace('_', ' ')}" for name in (*always, *others) if counts[name] or name in always
    ]
    return f"Plan: {', '.join(parts)} ({summary['accounted_for']} of {summary['total']} accounted for)"


# Small parts


def _heading(code: str, count: int, meaning: str) -> Lines:
    text = f"{escape(code)} ({count}){': ' + meaning if meaning else ''}"
    return textwrap.wrap(text, _WIDTH, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _least(limit: int | None) -> int | None:
    return limit if limit is None else min(limit, SHOWN_AGAIN)


def _cut(items: Sequence[T], limit: int | None) -> Sequence[T]:
    return items if limit is None else items[:limit]


def _rest(items: Sequence[object], limit: int | None, indent: str = "  ") -> Lines:
    if limit is not None and len(items) > limit:
        yield f"{indent}… and {len(items) - limit} more (-v shows all)"


def _joined(items: Sequence[str], limit: int | None) -> str:
    more = f" and {len(items) - limit} more" if limit is not None and len(items) > limit else ""
    return ", ".join(map(escape, _cut(items, limit))) + more


def _short(value: object) -> str:
    return escape(_clipped(_text(value)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value, order="sorted").decode()
