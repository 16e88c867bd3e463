"""Fills a real Prefect server with everything an environment can hold.

Written against Prefect's HTTP API alone; it shares nothing with the package,
so a wrong belief there does not repeat itself here. Three ways in: ``seed``
for the known environments, ``random_environment`` for ones nobody has seen,
``Canaries`` for the secrets planted in them.
"""

from support.environment.api import Api, reference
from support.environment.automations import selected, when
from support.environment.canaries import Canaries, encodings, is_in
from support.environment.chance import random_environment
from support.environment.known import Size, plant_everything, seed, seed_pools
from support.environment.planted import Environment

__all__ = [
    "Api",
    "Canaries",
    "Environment",
    "Size",
    "encodings",
    "is_in",
    "plant_everything",
    "random_environment",
    "reference",
    "seed",
    "seed_pools",
    "selected",
    "when",
]
