"""``xfer archive``: what a store holds, what was done in it, and what was found."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from bundle.archive.faults import CHECK_CODES, Fault
from bundle.archive.periods import Zone, written
from bundle.archive.retention import RETENTION_REASONS
from bundle.errors import ExitCode
from bundle.plan.actions import Plan
from bundle.report.counting import has_differences, incomplete
from bundle.report.differences import changed_resource, resource_lines
from bundle.report.model import HistoryStep, Report, Retained, Side, SnapshotRow
from bundle.report.parts import Limit, Lines, cut, rest_of, server_name
from bundle.report.records import planned

if TYPE_CHECKING:
    # Every command that prints a report imports this module, and few have to do with a store.
    from bundle.archive.forget import Forgotten
    from bundle.archive.history import Step
    from bundle.archive.integrity import Checked
    from bundle.archive.point import Point
    from bundle.archive.timeline import Kept

_KIB = 1024
_DONE = Report(command="", exit_code=ExitCode.DONE, ok=True)


# -- Reports ----------------------------------------------------------------------------------------------------------


def init(store: str) -> Report:
    """The report of a place that was made a store."""
    return msgspec.structs.replace(_DONE, command="archive init", store=store)


def listed(store: str, found: Sequence[tuple[Kept, Collection[str]]], zone: Zone, command: str) -> Report:
    """The report that lists snapshots, each with the endings of its objects."""
    former: dict[str, str] = {}
    rows = []
    for kept, ends in found:
        point = kept.point
        rows.append(_row(kept, ends, zone, is_changed=former.get(point.name) != point.content_digest))
        former[point.name] = point.content_digest
    return msgspec.structs.replace(_DONE, command=command, store=store, snapshots=tuple(rows))


def only(report: Report, id_: str) -> Report:
    """The same with one snapshot alone."""
    return msgspec.structs.replace(report, snapshots=tuple(each for each in report.snapshots if each.id == id_))


def snapshot(
    store: str, kept: Sequence[Kept], former: Point | None, source: Side, torn: Sequence[str], zone: Zone
) -> Report:
    """The report of a snapshot that was written; exit code 3 if it is not a whole environment."""
    rows = tuple(
        _row(each, (), zone, is_changed=former is None or former.content_digest != each.point.content_digest)
        for each in kept
    )
    done = msgspec.structs.replace(
        _DONE,
        command="archive snapshot",
        store=store,
        source=source,
        snapshots=rows,
        changed_while_read=tuple(torn),
    )
    return incomplete(done) if torn else done


def log(store: str, steps: Sequence[Step], count: int, zone: Zone) -> Report:
    """The report of a history over so many snapshots."""
    found = tuple(
        HistoryStep(each.id, written(each.time, zone), tuple(map(changed_resource, each.changes))) for each in steps
    )
    return msgspec.structs.replace(
        _DONE, command="archive log", store=store, history=found, summary={"snapshots": count, "steps": len(found)}
    )


def forgotten(store: str, found: Sequence[Forgotten], zone: Zone, *, dry_run: bool) -> Report:
    """The report of ``forget``; exit code 3 if something stays for a cause that somebody should look at."""
    decisions = [decision for each in found for decision in each.decisions]
    kept = tuple(Retained(each.id, each.reasons) for each in decisions if each.is_kept)
    gone = tuple(Retained(each.id, each.reasons) for each in decisions if not each.is_kept)
    done = msgspec.structs.replace(
        _DONE,
        command="archive forget",
        store=store,
        keep=kept,
        remove=gone,
        snapshots=tuple(_row(each, (), zone, is_changed=True) for one in found for each in one.kept),
        faults=tuple(Fault("orphan", name) for each in found for name in each.orphans),
        summary={"keep": len(kept), "remove": len(gone), "dry_run": int(dry_run)},
    )
    return incomplete(done) if any(each.has_causes for each in found) else done


def checked(store: str, found: Sequence[Checked]) -> Report:
    """The report of ``check``; exit code 4 if a snapshot is lost."""
    done = msgspec.structs.replace(
        _DONE,
        command="archive check",
        store=store,
        faults=tuple(each for one in found for each in one.faults),
        summary={"snapshots": sum(each.points for each in found), "read": sum(len(each.read) for each in found)},
    )
    if all(each.is_whole for each in found):
        return done
    return msgspec.structs.replace(done, exit_code=ExitCode.BUNDLE_REFUSED, ok=False)


def drilled(store: str, plan: Plan) -> Report:
    """The report of a restoration into a throwaway server; exit code 3 unless everything is there as it was."""
    found = tuple(map(planned, plan.actions))
    done = msgspec.structs.replace(
        _DONE,
        command="archive drill",
        store=store,
        resources=tuple(each for each in found if has_differences([each])),
        summary={"total": len(found)},
        snapshots=(),
    )
    return incomplete(done) if done.resources else done


def _row(kept: Kept, ends: Collection[str], zone: Zone, *, is_changed: bool) -> SnapshotRow:
    point = kept.point
    return SnapshotRow(
        id=point.id,
        name=point.name,
        time=written(kept.time, zone),
        resources=point.resources,
        size=point.size,
        complete=not point.incomplete,
        changed=is_changed,
        same_as=point.same_as,
        signers=tuple(sorted(each for each in ends if each.endswith(".sig"))),
        pinned=kept.pinned.text if kept.pinned else None,
        checked=_last_good(kept, "check", zone),
        drilled=_last_good(kept, "drill", zone),
    )


def _last_good(kept: Kept, kind: str, zone: Zone) -> str | None:
    found = kept.last(kind)
    return written(found[0], zone) if found and found[1].ok else None


# -- Layouts ----------------------------------------------------------------------------------------------------------


def layout_init(report: Report, _limit: Limit) -> Iterator[Lines]:
    """That there is a store."""
    yield [f"{report.store} is a store now: what is created there is never replaced"]


def layout_snapshot(report: Report, _limit: Limit) -> Iterator[Lines]:
    """What was stored."""
    for each in report.snapshots:
        what = f"{each.resources} resources, {_size(each.size)}"
        same = f"the same as {each.same_as}; no bundle was stored again" if each.same_as else what
        yield [f"Snapshot of {server_name(report.source)} in {report.store}", f"  {each.name}@{each.id}: {same}"]
    if report.changed_while_read:
        yield [f"incomplete: {', '.join(report.changed_while_read)} changed while they were read; take it again"]


def layout_list(report: Report, limit: Limit) -> Iterator[Lines]:
    """A line for each snapshot, the newest last; the zone stands in the times."""
    for name in dict.fromkeys(each.name for each in report.snapshots):
        rows = [each for each in report.snapshots if each.name == name]
        shown = rows if limit is None else rows[-10 * limit :]
        yield [
            f"{report.store}//{name} ({len(rows)})",
            *_hidden(len(rows) - len(shown)),
            *(line for each in shown for line in _row_lines(each)),
        ]
    if not report.snapshots:
        yield [f"{report.store}: no snapshots"]


def _hidden(count: int) -> Lines:
    if count:
        yield f"  … {count} older ones (-v shows all)"


def _row_lines(each: SnapshotRow) -> Lines:
    size = "unchanged" if each.same_as else _size(each.size)
    words = [
        "" if each.complete else "incomplete",
        "signed" if each.signers else "",
        f"pinned: {each.pinned}" if each.pinned is not None else "",
        f"checked {each.checked[:10]}" if each.checked else "",
        f"drilled {each.drilled[:10]}" if each.drilled else "",
    ]
    notes = ", ".join(filter(None, words))
    yield f"  {each.time}  {each.id}  {each.resources:>6}  {size:>9}{'  ' + notes if notes else ''}"


def layout_log(report: Report, limit: Limit) -> Iterator[Lines]:
    """The changes, a block for each snapshot that brought any."""
    for step in report.history:
        shown = cut(step.resources, limit)
        yield [
            f"{step.time}  {step.id}",
            *(f"  {line}" for each in shown for line in resource_lines(each, limit)),
            *rest_of(step.resources, limit),
        ]
    yield [f"{report.summary['steps']} changes in {report.summary['snapshots']} snapshots"]


def layout_forget(report: Report, limit: Limit) -> Iterator[Lines]:
    """What goes and what stays, each with its reasons."""
    times = {each.id: f"{each.time}  {each.name}@{each.id}" for each in report.snapshots}
    trial = bool(report.summary["dry_run"])
    for word, those in (("would remove" if trial else "removed", report.remove), ("keeps", report.keep)):
        if those:
            shown = those if limit is None else those[: 10 * limit]
            yield [
                f"{word} ({len(those)}):",
                *(f"  {times[each.id]}  ({', '.join(each.reasons)})" for each in shown),
                *rest_of(those, None if limit is None else 10 * limit),
            ]
    yield _meanings(each.reasons for each in (*report.remove, *report.keep))
    yield [f"  removed {each.object}: its writer never finished" for each in report.faults]
    yield [f"{report.summary['keep']} kept, {report.summary['remove']} {'to be ' if trial else ''}removed"]


def _meanings(reasons: Iterable[Sequence[str]]) -> Lines:
    known = {reason for each in reasons for reason in each} & {"future", "shrunk", "incomplete", "newest-complete"}
    yield from (f"{reason}: {RETENTION_REASONS[reason]}" for reason in RETENTION_REASONS if reason in known)


def layout_check(report: Report, limit: Limit) -> Iterator[Lines]:
    """What is not as it should be."""
    for code, meaning in CHECK_CODES.items():
        found = [each for each in report.faults if each.code == code]
        if found:
            yield [
                f"{code} ({len(found)}): {meaning}",
                *(f"  {each.object}{_named_by(each.points)}" for each in cut(found, limit)),
                *rest_of(found, limit),
            ]
    lost = len({id_ for each in report.faults for id_ in each.points})
    yield [f"{report.summary['snapshots']} snapshots, {report.summary['read']} bundles read whole, {lost} lost"]


def _named_by(points: Sequence[str]) -> str:
    return f" ({', '.join(points)})" if points else ""


def layout_drill(report: Report, limit: Limit) -> Iterator[Lines]:
    """What is not there as it was."""
    yield [line for each in cut(report.resources, limit) for line in resource_lines(each, limit)]
    yield rest_of(report.resources, limit)
    verdict = f"{len(report.resources)} are not as they were" if report.resources else "everything is as it was"
    yield [f"{report.summary['total']} resources restored into a throwaway server: {verdict}"]


def _size(size: int) -> str:
    return f"{size} B" if size < _KIB else f"{size / _KIB:.0f} KiB" if size < _KIB**2 else f"{size / _KIB**2:.1f} MiB"
