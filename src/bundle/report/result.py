"""``xfer result verify``: what became of a bundle on the far side."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from bundle.errors import ExitCode
from bundle.model import Key, Manifest, kind_of
from bundle.operations.results import Joined
from bundle.plan.actions import REASONS
from bundle.report.bundle import contents
from bundle.report.counting import summary_of, tally
from bundle.report.model import Report, Resource, Side, Verb
from bundle.report.notes import warning_lines
from bundle.report.parts import Limit, Lines, cut, file_name, rest_of, server_name
from bundle.report.signatures import signature_lines
from bundle.trust.statements import Ending, Result
from bundle.trust.verdict import Verdict

_NAMES = ("there", "kept", "missing", "unaccounted", "unknown")
_WORDS = {
    **REASONS,
    "unaccounted": "the result does not say what became of it, or says it more than once",
    "unknown": "the bundle has no such resource",
}
_ACTIONS: Mapping[str, Verb] = {"there": "keep", "kept": "skip", "missing": "blocked"}


def report(manifest: Manifest, file: str, result: Result, joined: Joined, verdict: Verdict | None) -> Report:
    """Exit code 0 where all is there as it left, 2 where something kept its own content, 3 where any is not there."""
    endings = {each.key: each for each in result.account}
    fates: dict[Key, str] = {
        **joined.fates,
        **dict.fromkeys(joined.unaccounted, "unaccounted"),
        **dict.fromkeys(joined.unknown, "unknown"),
    }
    kinds = tally(((kind_of(key), fate) for key, fate in fates.items()), _NAMES)
    found = set(fates.values())
    code = ExitCode.INCOMPLETE if found & {"missing", "unaccounted", "unknown"} else ExitCode.DONE
    if not code and "kept" in found:
        code = ExitCode.DIFFERENCES
    return Report(
        command="result",
        exit_code=code,
        ok=code != ExitCode.INCOMPLETE,
        summary=summary_of(kinds, _NAMES),
        kinds=kinds,
        destination=Side(result.destination or "the destination", result.url or ""),
        bundle=contents(manifest, file),
        resources=tuple(_resource(key, fate, endings) for key, fate in sorted(fates.items())),
        signatures=verdict,
        approved_by=result.approved_by,
        warnings=tuple(_warnings(manifest, result, found)),
    )


def _warnings(manifest: Manifest, result: Result, fates: Collection[str]) -> Iterator[str]:
    if result.found is None:
        yield "the destination was not read back after the import"
    elif fates == {"there"} and result.found != manifest.content_digest:
        yield "read back, not all of it was as it left: an overlay, --inert or the destination's version can be why"


def _resource(key: Key, fate: str, endings: Mapping[Key, Ending]) -> Resource:
    reason = fate if fate in {"unaccounted", "unknown"} else endings[key].reason
    return Resource(key=key, kind=kind_of(key), action=_ACTIONS.get(fate, "blocked"), state=None, reason=reason)


def layout(report: Report, limit: Limit) -> Iterator[Lines]:
    """What is not there as it left, and the sum."""
    yield [f"What became of {file_name(report)} at {_place(report)}", *_origin(report)]
    yield warning_lines(report)
    yield _others(report, limit)
    yield [_sum(report.summary)]


def _place(report: Report) -> str:
    side = report.destination
    return server_name(side) if side and side.url else side.name if side else ""


def _origin(report: Report) -> Lines:
    if report.signatures is None:
        yield "signed by:       nobody; anybody could have written this result"
    yield from signature_lines(report)


def _others(report: Report, limit: Limit) -> Lines:
    others = [each for each in report.resources if each.action != "keep"]
    for each in cut(others, limit):
        glyph, words = "~" if each.action == "skip" else "!", _WORDS.get(each.reason)
        yield f"{glyph} {each.key}  ({each.reason}{f': {words}' if words else ''})"
    yield from rest_of(others, limit)


def _sum(counts: Mapping[str, int]) -> str:
    left, there = counts["total"] - counts["unknown"], counts["there"] + counts["kept"]
    parts = [f"{left} left, {there} are there"]
    parts += [f"{counts['kept']} kept their local edits"] if counts["kept"] else []
    parts += [f"{counts['missing']} are not there"] if counts["missing"] else []
    parts += [f"{counts['unaccounted']} unaccounted for"] if counts["unaccounted"] else []
    parts += [f"{counts['unknown']} of no known resource"] if counts["unknown"] else []
    return "; ".join(parts)
