"""What the tests of movement between real servers begin with."""

from __future__ import annotations

import pytest

from bundle.model import Bundle
from bundle.server.process import Server
from support.moving import bundle_of


@pytest.fixture(scope="session")
def small(source_server: Server) -> Bundle:
    """The small environment as a bundle."""
    return bundle_of(source_server.url)
