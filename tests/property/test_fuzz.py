"""Whatever a server answers or a file holds, it ends in a result or in an error with a hint, never in a traceback.

The number of examples of each is ``XFER_FUZZ_EXAMPLES`` (100 where it is not set), and ``XFER_FUZZ_SEED`` the first.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec

from bundle.cli import scope_options, secret_values
from bundle.cli.console import Console
from bundle.environment.describe import Environment, describe
from bundle.environment.read import read_rows
from bundle.environment.validation import checked
from bundle.errors import BundleError, RequestRejected
from bundle.model import Body, Bundle, Json, Placed
from bundle.operations import receipt, saved_plan
from bundle.operations.rollback import roll_back
from bundle.plan.capabilities import Fields
from bundle.plan.compare import Present, compare
from bundle.plan.compatibility import fit
from bundle.plan.execution_surface import surfaces
from bundle.plan.intended import intend
from bundle.plan.matching import match
from bundle.plan.overlay import adapt
from bundle.plan.switches import at_rest
from bundle.record.canonical import encode, make_record
from bundle.record.graph import place
from bundle.server.openapi import parse_openapi
from support.fake_prefect import FakePrefect
from support.json_mutants import mutant
from support.offline import api_of, run
from support.seeded import plant, seeded

EXAMPLES = int(os.environ.get("XFER_FUZZ_EXAMPLES", "100"))
SEED = int(os.environ.get("XFER_FUZZ_SEED", "0"))


def examples(work: Callable[[random.Random], None], most: int = EXAMPLES) -> None:
    """Do some work with each source of chance; an error that is expected is an answer."""
    for number in range(SEED, SEED + most):
        try:
            with contextlib.suppress(BundleError):
                work(random.Random(number))
        except Exception as error:
            error.add_note(f"XFER_FUZZ_SEED={number}")
            raise


class Answers:
    """A server that answers from lists in memory; implements what is read of ``bundle.model.Api``."""

    url = "http://memory.test/api"
    is_cloud = False
    unanswered = 0

    def __init__(self, lists: dict[str, Json]) -> None:
        self.lists = lists

    async def get(self, path: str) -> Json:
        return self._of(path)

    async def read(self, path: str, body: Body) -> Json:
        found = self._of(path)
        return found[:1] if "limit" in body and isinstance(found, list) else found

    async def pages(self, path: str, _body: Body | None = None) -> AsyncIterator[list[Json]]:
        found = self._of(path)
        if not isinstance(found, list):
            raise RequestRejected("no list", status=200, hint="none")
        yield found

    async def accepted_fields(self) -> Any:
        return parse_openapi(self._of("/openapi.json"))

    def _of(self, path: str) -> Json:
        if path not in self.lists:
            raise RequestRejected("not found", status=404, hint="none")
        return self.lists[path]


@functools.cache
def recorded() -> dict[str, Json]:
    """What a server with one of everything answers, by path."""
    fake = plant(FakePrefect())

    async def record() -> dict[str, Json]:
        found: dict[str, Json] = {}
        async with api_of(fake) as api:
            inner = (api.get, api.read, api.pages)

            async def get(path: str) -> Json:
                found[path] = await inner[0](path)
                return found[path]

            async def read(path: str, body: Body) -> Json:
                found[path] = await inner[1](path, body)
                return found[path]

            async def pages(path: str, body: Body | None = None) -> AsyncIterator[list[Json]]:
                found[path] = [row async for page in inner[2](path, body) for row in page]
                yield found[path]

            api.get, api.read, api.pages = get, read, pages  # type: ignore[method-assign]
            await read_rows(api, deep=True, counted=True)
            found["/openapi.json"] = await inner[0]("/openapi.json")
        return found

    return run(record())


def environment(lists: dict[str, Json], *, everything: bool) -> Environment:
    """A server with these answers, described."""

    async def read() -> Environment:
        reading = await read_rows(Answers(lists), deep=True, counted=True)  # type: ignore[arg-type]
        return describe(reading, everything=everything)

    return run(read())


@functools.cache
def good() -> Environment:
    return environment(recorded(), everything=True)


def plan(bundle: Bundle, there: Environment, fields: Fields) -> None:
    """All that is decided of a bundle at a destination."""
    wanted = adapt(bundle)
    records = fit(intend(wanted.bundle.records), fields)
    pairs = match(records, there)
    compare(at_rest(records, pairs, there), pairs, Present(there, fields=fields), chosen=wanted.chosen)


def test_answers_of_a_server() -> None:
    """Every list and every document, with anything in them, describes an environment that can be planned for."""

    def work(rng: random.Random) -> None:
        lists = recorded()
        for path in rng.sample(sorted(lists), rng.choice((1, 1, 2))):
            found = lists[path]
            if isinstance(found, list) and found and rng.random() < 0.9:
                # A few rows each, so that there is time for many.
                spot = rng.randrange(len(found))
                changed: Json = [*found[:spot], mutant(found[spot], rng), *found[spot + 1 :]]
            else:
                changed = mutant(found, rng)
            lists = {**lists, path: changed}
        msgspec.json.decode(encode(lists))
        exported = environment(lists, everything=False)
        bound = [*checked(place(exported.records.values()))]
        assert len(bound) == sum(count.exported for count in exported.census.values())
        fields = Fields(parse_openapi(lists["/openapi.json"]))
        plan(seeded(), environment(lists, everything=True), fields)

    examples(work)


def test_bodies_of_records() -> None:
    """A record with any body, under its own key, is refused, or can be planned and shown."""

    def work(rng: random.Random) -> None:
        bundle = seeded()
        spot = rng.randrange(len(bundle.records))
        record = bundle.records[spot].record
        body = mutant(record.body, rng)
        other = make_record(record.key, body, record.references, record.secrets)
        records = (*bundle.records[:spot], Placed(bundle.records[spot].wave, other), *bundle.records[spot + 1 :])
        changed = msgspec.structs.replace(bundle, records=records)
        surfaces(placed.record for placed in checked([Placed(0, other)]))
        plan(changed, good(), Fields(parse_openapi(recorded()["/openapi.json"])))

    examples(work)


def lines() -> list[Any]:
    """The lines of a receipt, one of each sort for many records."""
    placed = seeded().records
    head = {"xfer_receipt": "1.1", "destination": FakePrefect.url, "content_digest": "a" * 64, "created": "x"}
    ids = {key: good().ids[key] for key in good().records}
    found: list[Any] = [head]
    for number, each in enumerate(placed):
        record = msgspec.to_builtins(each.record)
        if number % 3:
            found.append({"make": record, "wave": each.wave})
            found.append({"trying": each.record.key})
            found.append({"made": each.record.key, "id": ids.get(each.record.key)})
        else:
            places = [f"/{name}" for name in each.record.body][:2]
            found.append({
                "change": record, "id": ids.get(each.record.key, "x"), "fields": [], "places": places,
                "became": record, "ids": ids, "became_ids": ids,
            })  # fmt: skip
    return found


def spoilt(data: bytes, rng: random.Random) -> bytes:
    """Some bytes, now and then with one of them changed or some of them gone."""
    if rng.random() < 0.8 or not data:
        return data
    spot = rng.randrange(len(data))
    return data[:spot] + rng.choice((b"", b"\xff", b"{", b"\x00", b'"')) + data[spot + rng.choice((0, 1, 50)) :]


def test_receipts(tmp_path: Path) -> None:
    """A receipt with anything in it is refused, or says what to take back."""
    path, whole = tmp_path / "receipt", lines()

    def work(rng: random.Random) -> None:
        some = [whole[0], *rng.sample(whole[1:], 4)]
        spot = rng.randrange(len(some))
        some[spot] = mutant(some[spot], rng)
        path.write_bytes(spoilt(b"".join(encode(each) + b"\n" for each in some), rng))
        receipt.read(path)

    examples(work)


def test_rollbacks(tmp_path: Path) -> None:
    """Whatever a receipt says, a rollback of it ends in an account of each resource."""
    path, whole, fake = tmp_path / "receipt", lines(), plant(FakePrefect())

    def work(rng: random.Random) -> None:
        some = [whole[0], *rng.sample(whole[1:], 12)]
        for spot in rng.sample(range(1, len(some)), 3):
            some[spot] = mutant(some[spot], rng)
        path.write_bytes(b"".join(encode(each) + b"\n" for each in some))
        taken = receipt.read(path)

        async def undo() -> None:
            async with api_of(fake) as api:
                await roll_back(taken, api, dry_run=True)

        run(undo())

    examples(work, EXAMPLES // 10)


def test_plans(tmp_path: Path) -> None:
    """A plan with anything in it is refused, or one that was saved."""
    steps = [
        {"key": each.record.key, "action": "create", "wanted": each.record.digest, "found": None, "id": None}
        for each in seeded().records[:5]
    ]
    base = {"xfer_plan": "1.0", "content_digest": "a" * 64, "destination": "x", "state": "b" * 64, "steps": steps}
    path = tmp_path / "plan"

    def work(rng: random.Random) -> None:
        path.write_bytes(spoilt(encode(mutant(base, rng)), rng))
        saved_plan.read(path)

    examples(work)


def _toml(document: Json) -> str:
    """A flat document as TOML, as far as it is one."""
    rows = (f"{json.dumps(name)} = {json.dumps(value)}" for name, value in document.items())
    return "\n".join(rows)


def texts(base: Json, rng: random.Random) -> bytes:
    """A document that a user wrote, in one of the two forms, spoilt."""
    document = mutant(base, rng)
    is_toml = rng.random() < 0.4 and isinstance(document, dict)
    return spoilt(_toml(document).encode() if is_toml else encode(document), rng)


def test_overlays(tmp_path: Path) -> None:
    """An overlay with anything in it is refused, or can be applied."""
    keys = [placed.record.key for placed in seeded().records]
    flow = next(key for key in keys if key.startswith("flow:"))
    variable = next(key for key in keys if key.startswith("variable:"))
    deployment = next(key for key in keys if key.startswith("deployment:"))
    base = {
        "map": {flow: "other"},
        "set": {variable: "v"},
        "patch": [{"match": deployment, "merge": {"description": "x", "tags": ["a"]}}, {"match": "flow", "merge": {}}],
    }
    path = tmp_path / "overlay"

    def work(rng: random.Random) -> None:
        path.write_bytes(texts(base, rng))
        overlay = scope_options.read_overlay(str(path))
        adapt(seeded(), overlay=overlay)

    examples(work)


def test_secrets_files(tmp_path: Path) -> None:
    """A file of secrets with anything in it is refused, or gives values for slots."""
    base = {each.slot: "value" for each in seeded().manifest.secrets}
    path = tmp_path / "secrets"
    path.touch(mode=0o600)

    def work(rng: random.Random) -> None:
        path.write_bytes(texts(base, rng))
        secret_values.for_bundle(seeded(), secret_values.read_file(Console(()), str(path)))

    examples(work)
