"""The server of a profile without a URL: the user's own Prefect, started for one command."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from bundle.errors import BundleError, Unreachable
from bundle.server import ephemeral, processes
from bundle.server.target import Target


@asynccontextmanager
async def running(target: Target) -> AsyncIterator[Target]:
    """The target with a server that runs as long as the context; one that needs none is given as it is.

    Raises:
        Unreachable: there is no Prefect to start, or it does not come up.
    """
    if target.ephemeral is None:
        yield target
        return
    prefect = processes.find_own_prefect()
    if prefect is None:
        raise Unreachable(
            f"{target.name} has no PREFECT_API_URL, and no prefect command was found to start a server with",
            hint="activate the virtual environment that Prefect is in, or install it: pip install prefect",
        )
    variables = {name: value.reveal() for name, value in target.ephemeral.variables}
    with (
        tempfile.TemporaryDirectory(prefix="xfer-server-") as directory,
        processes.launch_own(Path(directory), variables, prefect) as server,
    ):
        try:
            # In a thread, so that an interrupt is heard.
            await asyncio.to_thread(server.wait, target.ephemeral.timeout_seconds)
        except BundleError as error:
            raise _failed(target, prefect, ephemeral.hide(error.message, variables)) from None
        yield msgspec.structs.replace(target, started_at=server.url)


def _failed(target: Target, prefect: Path, why: str) -> Unreachable:
    return Unreachable(
        f"{target.name}, started with {prefect}: {why}",
        hint=f"its data is in {target.url}; if a newer Prefect created it, activate the environment of that Prefect",
    )
