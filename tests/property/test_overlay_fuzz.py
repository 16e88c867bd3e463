"""Whatever stands in an overlay, it is applied, or it is refused as a mistake with what to do about it.

The number of overlays is ``XFER_FUZZ_OVERLAYS`` (200 where it is not set), and each is made from its own number alone.
"""

from __future__ import annotations

import os
import random
from typing import Any

import msgspec
import pytest

from bundle.errors import UsageError
from bundle.model import Body, Bundle, Json
from bundle.plan.overlay import Overlay, Wanted, adapt
from bundle.plan.refusals import refuse_misfits
from bundle.record.pointers import walk
from bundle.server.openapi import Accepted, parse_openapi
from support.fake_prefect import FakePrefect
from support.offline import api_of, run
from support.seeded import seeded

NUMBERS = range(int(os.environ.get("XFER_FUZZ_OVERLAYS", "200")))
WORDS = (
    "*",
    "",
    "/",
    "~",
    "~2",
    "x",
    "slug=weekdays",
    "=",
    "0",
    "-1",
    "99999999999",
    "name",
    "active",
    "a/b",
    "é",
    "\x00",
)
VALUES: tuple[Json, ...] = (
    None,
    True,
    0,
    -1,
    2**63,
    1e300,
    "",
    "x",
    [],
    {},
    [None],
    {"": None},
    {"activ": False},
    "\n",
)


def _pointer(chance: random.Random, body: Body) -> str:
    """A place in a body, or something like one."""
    place = chance.choice([place for place, _ in walk(body)])
    way = chance.randrange(5)
    if way == 0:
        return chance.choice(WORDS)
    if way == 1:
        return place.lstrip("/")
    if way == 2:
        tokens = place.split("/")
        tokens[chance.randrange(len(tokens))] = chance.choice(WORDS)
        return "/".join(tokens)
    return place + ("/" + chance.choice(WORDS) if way == 3 else "")


def _value(chance: random.Random, bodies: list[Body]) -> Json:
    if chance.random() < 0.5:
        return chance.choice(VALUES)
    return chance.choice([value for _, value in walk(chance.choice(bodies))])


def _patch(chance: random.Random, bundle: Bundle) -> dict[str, Any]:
    record = chance.choice(bundle.records).record
    bodies = [placed.record.body for placed in bundle.records]
    patch: dict[str, Any] = {"match": chance.choice((record.key, record.kind, f"{record.kind}:*", "x", "x:y", ""))}
    if chance.random() < 0.8:
        patch["at"] = _pointer(chance, record.body)
    for word in chance.sample(("merge", "put"), chance.randrange(3)):
        name = chance.choice((*record.body, *WORDS))
        patch[word] = chance.choice((_value(chance, bodies), {name: _value(chance, bodies)}))
    if chance.random() < 0.3:
        patch["remove"] = [_pointer(chance, record.body)]
    return patch


def overlay(number: int, bundle: Bundle) -> dict[str, Any]:
    """The document of one overlay."""
    chance = random.Random(number)
    keys = [placed.record.key for placed in bundle.records]
    document: dict[str, Any] = {"patch": [_patch(chance, bundle) for _ in range(chance.choice((0, 1, 1, 2)))]}
    if chance.random() < 0.4:
        document["map"] = {
            chance.choice((*keys, "x", "x:y", "")): chance.choice(("new", "", "a/b", "~", "é", "x" * 300))
        }
    if chance.random() < 0.4:
        document["set"] = {
            chance.choice((*keys, "variable:x")): _value(chance, [placed.record.body for placed in bundle.records])
        }
    return document


@pytest.fixture(scope="module")
def accepted() -> Accepted:
    async def ask() -> Accepted | None:
        async with api_of(FakePrefect()) as api:
            return await api.accepted_fields()

    return run(ask()) or parse_openapi({})


def test_an_overlay_is_applied_or_refused(accepted: Accepted) -> None:
    """No overlay ends in anything but a bundle or a refusal that says what to do; some do both."""
    bundle, refused, applied = seeded(), 0, 0
    for number in NUMBERS:
        document = overlay(number, bundle)
        try:
            changed: Wanted = adapt(bundle, overlay=msgspec.convert(document, Overlay))
            refuse_misfits(bundle, changed.bundle, accepted)
        except UsageError as error:
            refused += bool(error.hint)
        except Exception as error:
            raise AssertionError(f"overlay {number}: {document!r}") from error
        else:
            applied += 1
    assert refused + applied == len(NUMBERS)
    assert min(refused, applied) > len(NUMBERS) // 50
