"""What xfer knows of the newest Prefect without asking is what a server of that version says."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from bundle.server import published
from bundle.server.process import Server
from support.published import text_of


def test_it_is_what_a_server_of_that_version_publishes(destination_server: Server) -> None:
    """The file is cut from its OpenAPI document."""
    version = httpx.get(f"{destination_server.url}/admin/version", trust_env=False).json()
    if version != published.VERSION:
        pytest.skip(f"the servers of these tests are {version}")
    document = httpx.get(f"{destination_server.url}/openapi.json", timeout=60, trust_env=False).json()

    assert Path(published.__file__).with_name(published.FILE).read_text(encoding="utf-8") == text_of(document)
