"""Exports and imports through the Python API, in one call each, for the tests of movement."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bundle.apply.control import Control, Patience
from bundle.container.reader import read_bundle
from bundle.container.writer import write_bundle
from bundle.environment.selection import EVERYTHING, Selection
from bundle.model import Bundle, Json
from bundle.operations.export import Exported, export_environment
from bundle.operations.import_ import Prepared, Result, carry_out, prepare
from bundle.plan.capabilities import TellingApi
from bundle.plan.choices import SKIP, Choices, Conflicts, MissingSecrets
from bundle.server.client import PrefectApi
from bundle.server.profiles import Profiles, resolve
from bundle.server.responses import Sent
from bundle.server.retry import RetryPolicy
from bundle.server.target import Target
from bundle.server.tiers import ANY_TIER, Tier

CREATED = "2026-11-22T00:00:00Z"


class Imported(msgspec.Struct, frozen=True):
    """What an import came to, and the requests that it sent."""

    prepared: Prepared
    result: Result
    sent: Sent

    def reasons(self) -> dict[str, int]:
        """How often each reason was given."""
        reasons = [outcome.reason for outcome in self.result.outcomes]
        return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


Where = str | Target


def target(where: Where) -> Target:
    """The server at a URL, without any profile."""
    if isinstance(where, Target):
        return where
    return resolve(Profiles(path=Path("none"), tables={}), where, {})


def export(where: Where, *, redact: bool = False) -> Exported:
    """What an export of the server finds."""

    async def run() -> Exported:
        async with PrefectApi(target(where)) as api:
            return await export_environment(api, redact=redact, created=CREATED)

    return asyncio.run(run())


def written(exported: Exported) -> bytes:
    """The bytes of the bundle."""
    buffer = io.BytesIO()
    write_bundle(exported.header, exported.records, buffer)
    return buffer.getvalue()


def bundle_of(where: Where, *, redact: bool = False) -> Bundle:
    """The environment of a server as a bundle that was written and read."""
    return read_bundle(io.BytesIO(written(export(where, redact=redact))))


def import_into(
    where: Where,
    bundle: Bundle,
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
) -> Imported:
    """Replay a bundle into the server."""

    async def run() -> Imported:
        async with PrefectApi(target(where), policy=retries) as api:
            choices = Choices(on_conflict, missing, inert, tier, selection)
            prepared = await prepare(bundle, wrap(api), choices, secrets=secrets)
            result = await carry_out(prepared, wrap(api), Control(patience=patience or Patience()))
            return Imported(prepared, result, api.sent)

    return asyncio.run(run())
