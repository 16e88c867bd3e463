"""A small environment with work pools of every sort, as a bundle."""

from __future__ import annotations

import pytest

from bundle.model import Bundle
from conftest import ServerPool
from support.environment import seed_pools
from support.moving import bundle_of


@pytest.fixture(scope="session")
def pools_bundle(server_pool: ServerPool) -> Bundle:
    """What ``seed_pools`` plants."""
    server = server_pool.take()
    seed_pools(server.url)
    bundle = bundle_of(server.url)
    server_pool.give_back(server)
    return bundle
