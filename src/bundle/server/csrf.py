"""Prefect's protection against forged requests, as a client sees it."""

from __future__ import annotations

import asyncio
import uuid
from http import HTTPStatus

from bundle.server.responses import Response


class Csrf:
    """Prefect's protection against forged requests, as a client sees it."""

    def __init__(self, *, is_on: bool) -> None:
        self.is_on = is_on
        self.client = str(uuid.uuid4())
        self.token: str | None = None
        self.lock = asyncio.Lock()

    def headers(self, token: str | None) -> dict[str, str]:
        return {} if token is None else {"Prefect-Csrf-Token": token, "Prefect-Csrf-Client": self.client}

    def forget(self, token: str) -> None:
        """Drop the token, unless another request has replaced it already."""
        if self.token == token:
            self.token = None


def is_csrf_refusal(response: Response) -> bool:
    return response.status == HTTPStatus.FORBIDDEN and "csrf token" in response.detail.lower()
