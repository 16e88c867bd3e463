"""The seeded environment on fake servers: as a bundle, as it was planted, and with edits."""

from __future__ import annotations

import functools

from bundle.model import Bundle
from support.edits import EDITS, There
from support.environment import Canaries, Environment, plant_everything
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.offline import speaking_to


def plant(fake: FakePrefect) -> FakePrefect:
    """The fake server, with all that ``environment.seed`` plants."""
    with speaking_to(fake) as api:
        plant_everything(Environment(api, Canaries()))
    return fake


@functools.cache
def seeded() -> Bundle:
    """The whole seeded environment."""
    return bundle_of(plant(FakePrefect()))


def arrived(*, inert: bool = False) -> FakePrefect:
    """A destination that the whole seeded environment was imported into."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded(), inert=inert)
    return fake


def edited() -> FakePrefect:
    """A destination that holds the seeded environment, and where forty resources were edited since."""
    fake = arrived()
    with speaking_to(fake) as api:
        for each in EDITS:
            each.edit(There(api))
    fake.reset()
    return fake
