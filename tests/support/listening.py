"""An ``Api`` that keeps what it is asked, and answers what a test wants; nothing goes over any network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Literal

from bundle.model import Body, Json

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


class Listening:
    """``answer`` is called with method, path and body of each request, and may raise."""

    url = "http://listening.test/api"
    unanswered = 0

    def __init__(self, answer: Callable[[Method, str, Json], Json] = lambda *_: {}, *, is_cloud: bool = False) -> None:
        self.is_cloud = is_cloud
        self.asked: list[tuple[Method, str, Json]] = []
        self._answer = answer

    def _ask(self, method: Method, path: str, body: Json) -> Json:
        self.asked.append((method, path, body))
        return self._answer(method, path, body)

    async def get(self, path: str) -> Json:
        return self._ask("GET", path, None)

    async def read(self, path: str, body: Body) -> Json:
        return self._ask("POST", path, body)

    async def pages(self, path: str, body: Body | None = None) -> AsyncIterator[list[Json]]:
        yield self._ask("POST", path, body)

    async def write(
        self,
        method: Literal["POST", "PUT", "PATCH", "DELETE"],
        path: str,
        body: Json = None,
        *,
        repeatable: bool,
        on_existing: Callable[[], None] = lambda: None,
    ) -> Json:
        del repeatable
        found = self._ask(method, path, body)
        if isinstance(found, dict) and found.get("was there"):
            on_existing()
        return found
