"""A server of answers given in advance, and requests to send to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from bundle.errors import BundleError
from bundle.server.client import PrefectApi
from bundle.server.limits import ServerLimits
from bundle.server.responses import Sent
from bundle.server.retry import RetryPolicy
from bundle.server.target import Target

CANARY = "pnu_CANARY0123456789"
URL = "http://server.test:4200/prefix/api"
WORKSPACE = "accounts/11111111-2222-3333-4444-555555555555/workspaces/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"

Handler = Callable[[httpx.Request], httpx.Response]
Answer = httpx.Response | Exception | Handler
Step = Callable[[PrefectApi], Awaitable[Any]]


class FakeServer:
    """Answers from a list, the last one for ever; keeps requests and the waits between them.

    An answer is a response, an exception to raise, or a function from the request to its response.
    """

    def __init__(self, *answers: Answer, target: Target | None = None, **settings: Any) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []
        self.waits: list[float] = []
        self.now = 0.0
        self.target = target or Target(name="dev", url=URL, **{"csrf": False, **settings})
        self.sent = Sent()

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, httpx.ReadTimeout):
            self.now += self.target.timeout_seconds
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, httpx.Response) else answer(request)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def run(self, step: Step, *, policy: RetryPolicy | None = None, limits: ServerLimits | None = None) -> Any:
        """Do one thing with a client of this server."""

        async def run() -> Any:
            api = PrefectApi(
                self.target,
                policy=policy,
                limits=limits,
                transport=httpx.MockTransport(self.handle),
                clock=lambda: self.now,
                sleep=self.sleep,
                jitter=lambda: 0.5,
            )
            async with api:
                try:
                    return await step(api)
                finally:
                    self.sent = api.sent

        return asyncio.run(run())

    def fail(self, step: Step, *, policy: RetryPolicy | None = None, limits: ServerLimits | None = None) -> BundleError:
        """Do one thing that must fail, and give the failure."""
        with pytest.raises(BundleError) as caught:
            self.run(step, policy=policy, limits=limits)
        return caught.value


def ok(value: Any = True, status: int = 200) -> httpx.Response:  # noqa: FBT002 - a JSON value
    return httpx.Response(status, json=value)


def status(code: int, body: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(code, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def coded(content: bytes, coding: str) -> httpx.Response:
    """An answer that is decoded only when the client reads it."""
    headers = {"content-encoding": coding, "content-length": str(len(content))}
    return httpx.Response(200, stream=httpx.ByteStream(content), headers=headers)


async def get(api: PrefectApi) -> Any:
    return await api.get("/health")


async def read(api: PrefectApi) -> Any:
    return await api.read("/flows/count", {})


async def create(api: PrefectApi) -> Any:
    return await api.write("POST", "/automations/", {"name": "a"}, repeatable=False)


async def put(api: PrefectApi) -> Any:
    return await api.write("PUT", "/saved_searches/", {"name": "a"}, repeatable=True)


async def everything(api: PrefectApi) -> list[list[Any]]:
    return [page async for page in api.pages("/flows/filter", {"sort": "CREATED_DESC", "limit": 5})]


REFUSED = httpx.ConnectError("no")
REFUSED.__cause__ = ConnectionRefusedError()
LOST = httpx.ReadError("lost")
STALL = httpx.ReadTimeout("stall")
BUSY = {"exception_message": "Service Unavailable"}
