"""A whole environment: all rows of a server, read and described."""

from __future__ import annotations

from bundle.environment.describe import Environment, describe
from bundle.environment.read import OnEvent, ignore, read_rows
from bundle.model import Api


async def read_destination(
    api: Api, *, is_deep: bool = False, asks_all: bool = False, on_event: OnEvent = ignore
) -> Environment:
    """All that a destination has, also what nothing needs; ``is_deep`` and ``asks_all`` as for ``read_rows``.

    Raises:
        ServerError: it cannot be reached or refuses.
    """
    return describe(await read_rows(api, deep=is_deep, asks_all=asks_all, on_event=on_event), everything=True)


async def read_source(api: Api, *, on_event: OnEvent = ignore) -> Environment:
    """All of an environment that an export would hold.

    Raises:
        ServerError: it cannot be reached or refuses.
    """
    return describe(await read_rows(api, deep=True, on_event=on_event))
