"""``xfer demo``: everything on two throwaway servers, with every claim checked."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import click

from bundle.cli import connection, options
from bundle.cli.console import Console
from bundle.container.reader import read_bundle, verify_bundle
from bundle.container.writer import write_file
from bundle.errors import UsageError
from bundle.model import Bundle, Manifest
from bundle.operations.demo import Trip, checks, fill
from bundle.operations.export import export_environment
from bundle.operations.import_ import Prepared, Result, carry_out, prepare
from bundle.report import demo, text
from bundle.report import export as export_report
from bundle.report import import_ as import_report
from bundle.report.model import Report, Side
from bundle.report.records import Subject
from bundle.server import processes
from bundle.server.client import PrefectApi
from bundle.server.target import Target


@click.command("demo", epilog=options.examples("xfer demo", "xfer demo --keep demo-output"))
@click.option("--keep", metavar="DIRECTORY", type=click.Path(path_type=Path), help="Keep the bundle in this directory.")
@options.result
@click.pass_obj
def command(console: Console, keep: Path | None) -> Report:
    """Start two Prefect servers, fill one, move everything to the other, twice.

    The servers listen on this machine only, use a temporary directory, and are
    removed at the end. Needs Prefect: pip install 'xfer[demo]'. Exit code 0 only
    if every promise of this program was kept.
    """
    file = _place(keep)
    processes.find_prefect()
    with tempfile.TemporaryDirectory(prefix="xfer-demo-") as directory, ExitStack() as stack:
        root = Path(directory)
        with _step(console, "starting two Prefect servers (this takes longest)"):
            started = processes.start_many([root / "a", root / "b"])
            a, b = (stack.enter_context(server) for server in started)
        tour = _Tour(console, file or root / "env.pxb")
        trip = asyncio.run(tour.run(Target(name="a", url=a.url), Target(name="b", url=b.url)))
    return demo.report(checks(trip), trip.bundle.manifest, str(file) if file is not None else None)


def _place(keep: Path | None) -> Path | None:
    if keep is None:
        return None
    file = keep / "env.pxb"
    if file.exists():
        raise UsageError(f"{file}: already exists", hint="name another directory with --keep")
    keep.mkdir(parents=True, exist_ok=True)
    return file


class _Tour:
    """The steps of the demo; each is announced, timed, and shown as its own command would show it."""

    def __init__(self, console: Console, file: Path) -> None:
        self._console = console
        self._file = file

    async def run(self, source: Target, destination: Target) -> Trip:
        password = secrets.token_urlsafe(24)
        async with connection.connect(source) as a, connection.connect(destination) as b:
            with self._step("filling server a: blocks, pools, deployments with schedules, automations, limits"):
                await fill(a, password=password)
            bundle = await self._export(a)
            first, _ = await self._import(b, bundle, "importing it into server b")
            second, writes = await self._import(b, bundle, "importing it again")
            with self._step("exporting server b to compare"):
                returned = await self._read_back(b)
        return Trip(bundle, returned, first, second, writes, password)

    async def _export(self, a: PrefectApi) -> Bundle:
        with self._step(f"exporting server a: xfer export --from a -o {self._file.name}"):
            manifest = await _write(a, self._file)
        self._show(text.render(export_report.report(manifest, self._file.name, Side("a", a.url), ())))
        with self._step(f"checking every byte: xfer verify {self._file.name}"):
            verify_bundle(self._file)
        return read_bundle(self._file)

    async def _import(self, b: PrefectApi, bundle: Bundle, words: str) -> tuple[Result, int]:
        before = b.sent
        with self._step(f"{words}: xfer import {self._file.name} --to b"):
            prepared = await prepare(bundle, b)
            result = await carry_out(prepared, b)
        writes = b.sent.writes - before.writes
        self._show(text.render(import_report.report(_subject(prepared, self._file, b), prepared.plan, result.outcomes)))
        self._show(f"requests: {b.sent.reads - before.reads} reads, {writes} writes")
        return result, writes

    async def _read_back(self, b: PrefectApi) -> Bundle:
        file = self._file.with_name(f"{self._file.stem}-back.pxb")
        try:
            await _write(b, file)
            return read_bundle(file)
        finally:
            file.unlink(missing_ok=True)

    def _step(self, words: str) -> contextlib.AbstractContextManager[None]:
        return _step(self._console, words)

    def _show(self, block: str) -> None:
        _print(self._console, "\n".join(f"    {line}".rstrip() for line in block.split("\n")) + "\n")


def _subject(prepared: Prepared, file: Path, b: PrefectApi) -> Subject:
    return Subject("import", prepared.bundle.manifest, file.name, Side("b", b.url))


async def _write(api: PrefectApi, file: Path) -> Manifest:
    exported = await export_environment(api, created=datetime.now(UTC).isoformat(timespec="seconds"))
    return write_file(exported.header, exported.records, file, force=False)


@contextlib.contextmanager
def _step(console: Console, words: str) -> Iterator[None]:
    _print(console, f"* {words}")
    started = time.monotonic()
    yield
    _print(console, f"  {time.monotonic() - started:.1f} s\n")


def _print(console: Console, text: str) -> None:
    """A part of the demo: on stdout, unless that is to be one JSON document."""
    if not console.is_json:
        console.result(text)
        return
    for line in text.splitlines():
        console.say(line)
