"""Exports and imports of real servers, against the same requests sent bare."""

from __future__ import annotations

import asyncio
import io
import math
import time
from collections.abc import Callable, Sequence

import httpx
import msgspec

from benchmarks import bare
from benchmarks.measure import Row, best, interleaved, median, ratio, row, tell
from benchmarks.places import Place
from bundle.container.reader import read_bundle
from bundle.container.writer import write_bundle
from bundle.operations.export import export_environment
from bundle.operations.import_ import carry_out, prepare
from bundle.server.adaptive_limit import AdaptiveLimit, Limiter
from bundle.server.client import PrefectApi
from bundle.server.responses import Sent
from support.environment import Size, seed
from support.targets import target

_CREATED = "2026-01-01T00:00:00Z"
_READS_AT_ONCE = (1, 2, 4)
_MOST_FIXED = 4
_HOPELESS = 2.0


class Run(msgspec.Struct, frozen=True):
    """One export or import: seconds, requests, and how many writes were in flight at its end."""

    seconds: float
    sent: Sent
    limit: int
    outcomes: int = 0


def fill(url: str, size: str) -> None:
    """Fill a server with one of the environments of the tests."""
    seed(url, size=Size(size))


def export(url: str, recorder: bare.Recorder | None = None) -> tuple[bytes, Run]:
    """A bundle of a server, and what it took."""

    async def run() -> tuple[bytes, Run]:
        started = time.perf_counter()
        async with PrefectApi(target(url), transport=recorder) as api:
            exported = await export_environment(api, created=_CREATED)
            buffer = io.BytesIO()
            write_bundle(exported.header, exported.records, buffer)
            return buffer.getvalue(), Run(time.perf_counter() - started, api.sent, 0, len(exported.records))

    return asyncio.run(run())


def import_(url: str, data: bytes, *, fixed: int | None = None, recorder: bare.Recorder | None = None) -> Run:
    """Replay a bundle, with so many writes in flight or as many as xfer finds best."""
    limit = AdaptiveLimit() if fixed is None else AdaptiveLimit(first=fixed, least=fixed, most=fixed)

    async def run() -> Run:
        started = time.perf_counter()
        limiter = Limiter(limit)
        async with PrefectApi(target(url), transport=recorder, limiter=limiter) as api:
            prepared = await prepare(read_bundle(io.BytesIO(data)), api)
            result = await carry_out(prepared, api)
            _check(result.count("failed") + result.count("blocked"))
            return Run(time.perf_counter() - started, api.sent, limiter.limit, len(result.outcomes))

    return asyncio.run(run())


def _check(lost: int) -> None:
    if lost:
        raise RuntimeError(f"{lost} resources did not arrive: these figures would mean nothing")


def measure_export(source: Place, *, size: str, repetitions: int) -> list[Row]:
    """Export against the bare reads of the same pages."""
    recorder = bare.Recorder()
    _, recorded = export(source.url, recorder)
    origin, pages = source.server.url.removesuffix("/api"), recorder.pages()
    works: dict[str, Callable[[], float]] = {"xfer": lambda: export(source.url)[1].seconds}
    for count in _READS_AT_ONCE:
        works[f"pages {count}"] = lambda count=count: bare.replay_reads(origin, pages, count)  # type: ignore[misc]
        works[f"all {count}"] = lambda count=count: bare.replay_reads(origin, recorder.reads(), count)  # type: ignore[misc]
    found = interleaved(works, repetitions)
    tell(f"export {size}: " + _shown(found))
    rows = []
    for group, what, bar in (("pages", "bare reads of its pages", 1.2), ("all", "all its requests, bare", None)):
        fastest = best({name: found[name] for name in found if name.startswith(group)})
        value, samples = ratio(found["xfer"], found[fastest])
        note = f"{recorded.outcomes} resources, {len(pages)} pages, {recorded.sent.reads} requests; "
        note += f"{median(found['xfer']):.2f} s : {median(found[fastest]):.2f} s at {fastest.split()[1]} at once"
        rows.append(row("export", f"{size} environment / {what}", value, "x", bar=bar, samples=samples, note=note))
    return rows


def measure_import(place: Place, data: bytes, *, size: str, repetitions: int, at_once: Sequence[int]) -> list[Row]:
    """Import into an empty server against the same writes sent bare, and against fixed limits."""
    recorder = bare.Recorder()
    import_(place.empty(), data, recorder=recorder)
    steps, origin = bare.script(recorder.writes()), place.url.removesuffix("/api")
    limits: list[int] = []

    def adaptive() -> float:
        run = import_(place.empty(), data)
        limits.append(run.limit)
        return run.seconds

    works: dict[str, Callable[[], float]] = {"xfer": adaptive}
    for count in at_once:
        works[f"bare {count}"] = lambda count=count: _replayed(place, origin, steps, count)  # type: ignore[misc]
        if count <= _MOST_FIXED:
            works[f"fixed {count}"] = lambda count=count: import_(place.empty(), data, fixed=count).seconds  # type: ignore[misc]
    found = interleaved(works, repetitions, hopeless=_HOPELESS)
    tell(f"import {size} into {place.name}: {_shown(found)}; limits at the end {limits}")
    return [_against(place, size, group, bar, found, len(steps), limits) for group, bar in _GROUPS.items()]


_GROUPS = {"bare": 1.15, "fixed": 1.15}
_GROUP_NAMES = {"bare": "the same writes, bare", "fixed": "xfer at its best fixed number in flight"}


def _against(
    place: Place, size: str, group: str, bar: float, found: dict[str, list[float]], writes: int, limits: list[int]
) -> Row:
    fastest = best({name: found[name] for name in found if name.startswith(group)})
    value, samples = ratio(found["xfer"], found[fastest])
    each = ", ".join(f"{name.split()[1]}: {median(found[name]):.2f}" for name in found if name.startswith(group))
    note = f"{writes} writes, {median(found['xfer']):.2f} s : {median(found[fastest]):.2f} s (at once {each} s); "
    note += f"limit at the end {'/'.join(map(str, limits))}"
    what = f"{size} environment, {place.name} / {_GROUP_NAMES[group]}"
    return row("import", what, value, "x", bar=bar, samples=samples, note=note)


def _replayed(place: Place, origin: str, steps: list[bare.Step], at_once: int) -> float:
    """Seconds of a replay; endless where so many writes at once make the server refuse what it had carried out."""
    place.empty()
    try:
        return bare.replay_writes(origin, steps, at_once)
    except* (bare.Refused, httpx.TransportError) as error:
        tell(f"bare writes into {place.name}, {at_once} at once: {error.exceptions[0]}")
    return math.inf


def measure_second(place: Place, data: bytes, *, size: str, repetitions: int) -> list[Row]:
    """A second import: its requests against pages, and its time against the bare reads of the same."""
    import_(place.empty(), data)
    recorder = bare.Recorder()
    run = import_(place.url, data, recorder=recorder)
    pages = recorder.pages()
    origin = place.url.removesuffix("/api")
    works: dict[str, Callable[[], float]] = {"xfer": lambda: import_(place.url, data).seconds}
    for count in _READS_AT_ONCE:
        works[f"pages {count}"] = lambda count=count: bare.replay_reads(origin, pages, count)  # type: ignore[misc]
    found = interleaved(works, repetitions)
    fastest = best({name: found[name] for name in found if name != "xfer"})
    value, samples = ratio(found["xfer"], found[fastest])
    note = f"{median(found['xfer']):.2f} s : {median(found[fastest]):.2f} s at {fastest.split()[1]} at once"
    what = f"{size} environment, {place.name}"
    requests = f"{run.sent.reads} requests, {len(pages)} pages"
    return [
        row("second import", f"{what}: requests / pages", run.sent.reads / len(pages), "x", bar=2.0, note=requests),
        row("second import", f"{what}: writes", run.sent.writes, "", bar=0.0),
        row("second import", f"{what} / bare reads of its pages", value, "x", samples=samples, note=note),
    ]


def _shown(found: dict[str, list[float]]) -> str:
    return ", ".join(f"{name} {median(samples):.2f} s" for name, samples in found.items())
