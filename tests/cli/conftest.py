"""The command line in process, with small servers behind the one helper that builds clients."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from bundle.cli import connection
from bundle.server.client import PrefectApi
from bundle.server.retry import RetryPolicy
from bundle.server.target import Target
from support.commands import Ended, xfer

PROFILES = """
[profiles.a]
PREFECT_API_URL = "http://a.test/api"
[profiles.b]
PREFECT_API_URL = "http://b.test/api"
[profiles.a-again]
PREFECT_API_URL = "http://A.test:80/api/"
"""

Row = dict[str, Any]


class Server:
    """A Prefect server that knows variables; of everything else it has none."""

    def __init__(self) -> None:
        self.variables: list[Row] = []
        self.requests: list[httpx.Request] = []
        self.answer: Callable[[httpx.Request], httpx.Response | None] = lambda _: None

    @property
    def writes(self) -> list[httpx.Request]:
        return [each for each in self.requests if each.url.path == "/api/variables/" or each.method in {"PATCH", "PUT"}]

    def add(self, name: str, value: Any) -> None:
        now = "2026-01-01T00:00:00Z"
        row = {"id": str(uuid.uuid4()), "created": now, "updated": now, "name": name, "value": value, "tags": []}
        self.variables.append(row)

    def handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        path = request.url.path.removeprefix("/api")
        return self.answer(request) or self.create(path, request) or self.listing(path, request)

    def create(self, path: str, request: httpx.Request) -> httpx.Response | None:
        if path != "/variables/":
            return None
        body = json.loads(request.content)
        self.add(body["name"], body["value"])
        return httpx.Response(201, json=self.variables[-1])

    def listing(self, path: str, request: httpx.Request) -> httpx.Response:
        plain = {"/flows/count": 0, "/variables/count": len(self.variables), "/admin/version": "3.8.8", "/health": True}
        if path == "/variables/filter":
            return httpx.Response(200, json=self.variables[json.loads(request.content).get("offset", 0) :])
        if path.endswith("/filter"):
            return httpx.Response(200, json=[])
        if path.endswith("/count"):
            return httpx.Response(200, json=plain.get(path, 0))
        return httpx.Response(200, json=plain[path]) if path in plain else httpx.Response(404)


class Shell:
    """Runs ``xfer`` in process, in a directory and home of its own; ``a`` and ``b`` are servers by profile."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.a = Server()
        self.b = Server()

    def __call__(self, *arguments: str, stdin: bytes = b"") -> Ended:
        return xfer(*arguments, stdin=stdin)

    def connect(self, target: Target) -> PrefectApi:
        server = {"a.test": self.a, "b.test": self.b}[target.host]
        policy = RetryPolicy(attempts=1, first_attempts=1, budget_seconds=0.1)
        return PrefectApi(target, policy=policy, transport=httpx.MockTransport(server.handle))

    def bundle(self, name: str = "env.pxb") -> str:
        """Export server a."""
        ended = self("export", "--from", "a", "-o", name)
        assert ended.code == 0, ended.err
        return name


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell with profiles ``a`` and ``b``, and two variables on server a."""
    (tmp_path / "profiles.toml").write_text(PROFILES)
    for name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_LOGGING_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    made = Shell(tmp_path)
    made.a.add("region", "eu")
    made.a.add("retries", 3)
    monkeypatch.setattr(connection, "connect", made.connect)
    return made
