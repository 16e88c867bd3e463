"""Exports and imports through the Python API, in one call each, for the tests of movement."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from bundle.client import PrefectApi, RetryPolicy, Sent
from bundle.container import read_bundle, write_bundle
from bundle.exporter import Exported, export_environment
from bundle.importer import Prepared, Result, carry_out, prepare
from bundle.model import Api, Bundle, Json
from bundle.plan import Secrets
from bundle.profiles import Profiles, Target, resolve
from bundle.second_look import Patience

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


def target(url: str) -> Target:
    """The server at a URL, without any profile."""
    return resolve(Profiles(path=Path("none"), tables={}), url, {})


def export(url: str, *, redact: bool = False) -> Exported:
    """What an export of the server finds."""

    async def run() -> Exported:
        async with PrefectApi(target(url)) as api:
            return await export_environment(api, redact=redact, created=CREATED)

    return asyncio.run(run())


def written(exported: Exported) -> bytes:
    """The bytes of the bundle."""
    buffer = io.BytesIO()
    write_bundle(exported.header, exported.records, buffer)
    return buffer.getvalue()


def bundle_of(url: str, *, redact: bool = False) -> Bundle:
    """The environment of a server as a bundle that was written and read."""
    return read_bundle(io.BytesIO(written(export(url, redact=redact))))


def import_into(
    url: str,
    bundle: Bundle,
    *,
    secrets: Mapping[str, Json] | None = None,
    missing: str = "placeholder",
    wrap: Callable[[PrefectApi], Api] = lambda api: api,
    retries: RetryPolicy | None = None,
    patience: Patience | None = None,
) -> Imported:
    """Replay a bundle into the server."""

    async def run() -> Imported:
        async with PrefectApi(target(url), policy=retries) as api:
            policy = Secrets(supplied=secrets or {}, missing=missing)  # type: ignore[arg-type]
            prepared = await prepare(bundle, wrap(api), secrets=policy)
            result = await carry_out(prepared, wrap(api), patience=patience)  # type: ignore[arg-type]
            return Imported(prepared, result, api.sent)

    return asyncio.run(run())
