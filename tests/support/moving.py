"""Exports and imports through the Python API, in one call each, with a real server or a fake one."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

import httpx
import msgspec

from bundle.apply.control import Control, Patience
from bundle.apply.outcomes import Outcome
from bundle.container.reader import read_bundle
from bundle.container.writer import write_bundle
from bundle.environment.selection import EVERYTHING, Selection
from bundle.model import Bundle, Json, Key
from bundle.operations.export import Exported, export_environment
from bundle.operations.import_ import Prepared, Result, carry_out, prepare
from bundle.plan.capabilities import TellingApi
from bundle.plan.choices import SKIP, Choices, Conflicts, MissingSecrets
from bundle.server.client import PrefectApi
from bundle.server.responses import Sent
from bundle.server.retry import RetryPolicy
from bundle.server.target import Target
from bundle.server.tiers import ANY_TIER, Tier
from support.fake_prefect import FakePrefect
from support.offline import api_of, run
from support.targets import target

CREATED = "2026-11-22T00:00:00Z"

T = TypeVar("T")
Where = str | Target | FakePrefect
"""A URL, a target, or a fake server."""


class Imported(msgspec.Struct, frozen=True):
    """What an import came to, and the requests that it sent."""

    prepared: Prepared
    result: Result
    sent: Sent

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What became of each record."""
        return self.result.outcomes

    def by_key(self) -> dict[Key, Outcome]:
        """The outcome of each record by its key."""
        return {outcome.key: outcome for outcome in self.outcomes}

    def reasons(self) -> dict[str, int]:
        """How often each reason was given."""
        reasons = [outcome.reason for outcome in self.outcomes]
        return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def export(where: Where, transport: httpx.AsyncBaseTransport | None = None, *, redact: bool = False) -> Exported:
    """What an export of the server finds."""

    async def find(api: PrefectApi) -> Exported:
        return await export_environment(api, redact=redact, created=CREATED)

    return _with_api(where, find, transport)


def written(exported: Exported) -> bytes:
    """The bytes of the bundle."""
    buffer = io.BytesIO()
    write_bundle(exported.header, exported.records, buffer)
    return buffer.getvalue()


def bundle_of(where: Where, *, redact: bool = False, transport: httpx.AsyncBaseTransport | None = None) -> Bundle:
    """The environment of a server as a bundle that was written and read."""
    return read_bundle(io.BytesIO(written(export(where, transport, redact=redact))))


def import_into(
    where: Where,
    bundle: Bundle,
    transport: httpx.AsyncBaseTransport | None = None,
    *,
    secrets: Mapping[str, Json] | None = None,
    missing: MissingSecrets = "placeholder",
    inert: bool = False,
    wrap: Callable[[PrefectApi], TellingApi] = lambda api: api,
    retries: RetryPolicy | None = None,
    patience: Patience | None = None,
    on_conflict: Conflicts = SKIP,
    tier: Tier = ANY_TIER,
    selection: Selection = EVERYTHING,
    aborts_at_failure: bool = False,
) -> Imported:
    """Replay a bundle into the server; ``transport`` is the way to a fake one."""

    async def replay(api: PrefectApi) -> Imported:
        if isinstance(where, FakePrefect) and where.promises:
            where.promises.supplied = tuple((secrets or {}).values())
        choices = Choices(on_conflict, missing, inert, tier, selection)
        prepared = await prepare(bundle, wrap(api), choices, secrets=secrets)
        control = Control(patience=patience or Patience(), aborts_at_failure=aborts_at_failure)
        result = await carry_out(prepared, wrap(api), control)
        return Imported(prepared, result, api.sent)

    return _with_api(where, replay, transport, retries)


def _with_api(
    where: Where,
    work: Callable[[PrefectApi], Coroutine[Any, Any, T]],
    transport: httpx.AsyncBaseTransport | None = None,
    retries: RetryPolicy | None = None,
) -> T:
    """The result of some work with a client of the server; with a fake one no time passes."""

    async def through() -> T:
        fake = where if isinstance(where, FakePrefect) else None
        client = api_of(fake, transport, retries) if fake else PrefectApi(target(where), policy=retries)  # type: ignore[arg-type]
        async with client as api:
            return await work(api)

    return run(through()) if isinstance(where, FakePrefect) else asyncio.run(through())
