"""What servers answer and bundles hold may have any form: whatever it is, it ends in an account or in an error of ours.

The number of each is ``XFER_FUZZ_OUTSIDE`` (40 where it is not set), and each is made from its own number alone.
"""

from __future__ import annotations

import copy
import io
import itertools
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import httpx
import msgspec
import pytest

from bundle.container.writer import write_bundle
from bundle.errors import BundleError, BundleRejected
from bundle.model import Body, Bundle, Json, Record
from bundle.operations.export import Exported, export_environment
from bundle.plan.choices import SKIP, Conflicts
from bundle.record.canonical import make_record
from bundle.record.graph import place
from support.bundles import header_of
from support.fake_prefect import FakePrefect
from support.moving import import_into
from support.offline import api_of, run
from support.seeded import arrived, plant, seeded
from support.tampering import Tampering

NUMBERS = range(int(os.environ.get("XFER_FUZZ_OUTSIDE", "40")))
# More than an export of the seeded environment sends.
REQUESTS = 60
VALUES: tuple[Json, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    1e300,
    "",
    "x",
    "\n",
    "\x1b[31m",
    [],
    {},
    [[]],
    [None],
    {"": None},
)


def _nodes(value: Json) -> Iterator[tuple[Any, Any]]:
    """Every place inside a value: the container, and the name or index in it."""
    rest = [value]
    while rest:
        container = rest.pop()
        for name in list(container) if isinstance(container, dict) else range(len(container)):
            yield container, name
            if isinstance(container[name], dict | list):
                rest.append(container[name])


def twisted(chance: random.Random, value: Json) -> Any:
    """A value in which one or two nodes are set to something else, taken away, or replaced by a copy of another."""
    value = copy.deepcopy(value)
    for _ in range(chance.choice((1, 1, 2))):
        places = list(_nodes(value)) or [([None], 0)]
        (container, place), (other, there) = chance.choice(places), chance.choice(places)
        way = chance.randrange(4)
        if way == 0:
            del container[place]
        else:
            container[place] = copy.deepcopy(other[there] if way == 1 else chance.choice(VALUES))
    return value


def twisting(fake: FakePrefect, number: int) -> Tampering:
    """The way to a fake server, on which one answer is changed."""
    chance = random.Random(f"answer {number}")
    rest = itertools.count(-chance.randrange(REQUESTS))

    def after(_request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if next(rest) != 0 or response.status_code != httpx.codes.OK:
            return response
        found = twisted(chance, [msgspec.json.decode(response.content)])
        return httpx.Response(httpx.codes.OK, json=found[0] if found else None)

    return Tampering(fake, after=after)


@pytest.fixture(scope="module")
def source() -> FakePrefect:
    """A server with the seeded environment."""
    return plant(FakePrefect())


@pytest.fixture(scope="module")
def filled() -> FakePrefect:
    """A destination that has everything."""
    return arrived()


def _export_through(fake: FakePrefect, transport: httpx.AsyncBaseTransport) -> Exported:
    async def export() -> Exported:
        async with api_of(fake, transport) as api:
            found = await export_environment(api, created="2026-11-22T00:00:00Z")
            write_bundle(found.header, found.records, io.BytesIO())
            return found

    return run(export())


def test_an_export_survives_whatever_a_server_answers(source: FakePrefect) -> None:
    """One odd answer gives a bundle or an error of ours, and nothing else; half or more give a bundle."""
    bundles = 0
    for number in NUMBERS:
        try:
            _export_through(source, twisting(source, number))
            bundles += 1
        except BundleError:
            pass
        except BaseException as error:
            raise AssertionError(f"answer {number}") from error
    assert bundles >= len(NUMBERS) / 2


def strict(fake: FakePrefect) -> Tampering:
    """The way to a fake server that refuses what it cannot handle."""

    def before(request: httpx.Request) -> httpx.Response:
        try:
            return fake.handle(request)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            return httpx.Response(httpx.codes.UNPROCESSABLE_ENTITY, json={"detail": "odd"})

    return Tampering(fake, before)


def deepening(fake: FakePrefect) -> Tampering:
    """The way to a fake server whose first variable has a value as deep as JSON parsers just bear."""

    def after(request: httpx.Request, response: httpx.Response) -> httpx.Response:
        if request.url.path != "/api/variables/filter" or not response.json():
            return response
        rows = response.json()
        rows[0]["value"] = "deep"
        return httpx.Response(httpx.codes.OK, text=json.dumps(rows).replace('"deep"', "[" * 900 + "]" * 900))

    return Tampering(fake, after=after)


def test_a_server_can_answer_as_deep_as_it_likes(source: FakePrefect) -> None:
    """What is nested beyond what Python bears is left out, named, and costs nothing else."""
    found = _export_through(source, deepening(source))

    lacking = [each for each in found.header.left_out if each.reason == "not-portable"]
    assert [(each.kind, each.count) for each in lacking] == [("variable", 1)]
    assert "nested" in next(each.detail for each in found.header.findings if each.code == "left-out")
    assert len(found.records) == len(_export_through(source, source.transport).records) - 1


def _bundle_with(record: Record, body: Body) -> Bundle:
    changed = make_record(record.key, body, record.references, record.secrets)
    records = [changed if each.record.key == record.key else each.record for each in seeded().records]
    return Bundle(seeded().manifest, place(records))


def _odd_bundle(number: int) -> Bundle | None:
    """A bundle with one odd body; None where a reader refuses such a one anyway."""
    chance = random.Random(f"body {number}")
    kind = chance.choice(sorted({each.record.kind for each in seeded().records}))
    record = chance.choice([each.record for each in seeded().records if each.record.kind == kind])
    body = twisted(chance, record.body)
    try:
        bundle = _bundle_with(record, body)
        write_bundle(header_of(bundle.manifest), bundle.records, io.BytesIO())
    except (BundleError, ValueError):
        return None
    return bundle


def test_an_import_survives_whatever_a_bundle_holds(filled: FakePrefect) -> None:
    """A whole bundle with one odd body is refused, or every record of it ends in an outcome; a quarter or more do."""
    carried_out = 0
    for number in NUMBERS:
        bundle = _odd_bundle(number)
        if bundle is None:
            continue
        try:
            for fake, policy in ((FakePrefect(), SKIP), (copy.deepcopy(filled), Conflicts("update"))):
                result = import_into(fake, bundle, strict(fake), on_conflict=policy)
                assert len(result.outcomes) == len(bundle.records)
            carried_out += 1
        except BundleRejected:
            pass
        except BaseException as error:
            raise AssertionError(f"body {number}") from error
    assert carried_out >= len(NUMBERS) / 4
