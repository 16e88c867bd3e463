"""Prefect's protection against forged requests, as a client sees it."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from bundle.errors import RequestRejected
from bundle.model import Json
from bundle.server.responses import Call, Response


class Csrf:
    """The token of one client; ``is_on`` until the server says that it needs none."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self.client = str(uuid.uuid4())
        self.token: str | None = None
        self._lock = asyncio.Lock()

    async def token_for(self, call: Call, get: Callable[[str], Awaitable[Json]]) -> str | None:
        """The token for everything but GET, fetched with ``get`` before the first such request.

        404 (an old server) and 422 (protection is off) mean that none is needed.
        """
        if call.method == "GET" or not self.is_on:
            return None
        async with self._lock:
            if self.is_on and self.token is None:
                await self._fetch(get)
        return self.token

    async def _fetch(self, get: Callable[[str], Awaitable[Json]]) -> None:
        try:
            found = await get(f"/csrf-token?client={self.client}")
        except RequestRejected as error:
            if error.status not in {HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}:
                raise
            found = None
        token = found.get("token") if isinstance(found, dict) else None
        if isinstance(token, str) and re.fullmatch(r"[\x21-\x7e]+", token):
            self.token = token
        else:
            self.is_on = False

    def headers(self, token: str | None) -> dict[str, str]:
        """What goes with a request."""
        return {} if token is None else {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": self.client}

    def forget(self, token: str) -> None:
        """Drop the token, unless another request has replaced it already."""
        if self.token == token:
            self.token = None


def is_csrf_refusal(response: Response) -> bool:
    """Whether a request was refused for its token."""
    return response.status == HTTPStatus.FORBIDDEN and "csrf token" in response.detail.lower()
