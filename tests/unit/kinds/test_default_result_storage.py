"""The default result storage of a server."""

from __future__ import annotations

import asyncio
from typing import Any

from support.one_kind import ID, Rows, created, deleted, kind

FIELD = "default_result_storage_block_id"


class _Reader:
    is_deep = False

    def __init__(self, found: Any, *, is_cloud: bool = False) -> None:
        self._found = found
        self.is_cloud = is_cloud

    async def get(self, _path: str) -> Any:
        return self._found


def read(found: Any, *, is_cloud: bool = False) -> list[dict[str, Any]]:
    return asyncio.run(kind("default-result-storage").read(_Reader(found, is_cloud=is_cloud)))  # type: ignore[arg-type]


def test_it_is_read_where_it_is_set() -> None:
    """One row where a block is named; none where nothing is set, the route is missing, or the server is Cloud."""
    assert read({FIELD: ID}) == [{"id": "default-result-storage", FIELD: ID}]
    assert read({FIELD: None}) == read(None) == read({FIELD: ID}, is_cloud=True) == []


def test_it_is_called_server_and_only_points() -> None:
    """There is one, and its block is all that travels."""
    row = {"id": "default-result-storage", FIELD: ID}
    assert kind("default-result-storage").natural_name(row, Rows()) == "server"
    assert kind("default-result-storage").portable(row, Rows()) == {FIELD: ID}


def test_it_is_put_and_deleted() -> None:
    """``PUT /admin/storage`` sets it, ``DELETE`` leaves the place empty."""
    assert created("default-result-storage", {FIELD: ID}) == [["PUT", "/admin/storage", {FIELD: ID}]]
    assert deleted("default-result-storage", {}) == [["DELETE", "/admin/storage", None]]


def test_cloud_does_not_have_it() -> None:
    """On Cloud a work pool has its own."""
    assert kind("default-result-storage").unfit({FIELD: ID}, is_cloud=True) == "not-offered"
