"""An import through a network that loses, cuts, repeats and delays, into a real server."""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import msgspec
import pytest

from bundle.apply.control import Patience
from bundle.model import Bundle
from bundle.server import processes
from bundle.server.process import Server
from bundle.server.retry import RetryPolicy
from conftest import SETTINGS, ServerPool
from support.compare import compare
from support.environment import Size
from support.moving import import_into
from support.proxy import Fault, Faults, Kind, Proxy, Recorded, Script

Factory = Callable[[Size | None], Server]

# The proxy's late commits come within a second.
PATIENCE = Patience(settle_seconds=2.0)
# One seed in every run, thirty and more when asked for.
SEEDS = range(int(os.environ.get("XFER_FAULT_SEEDS", "1")))


def _names(url: str) -> Counter[str]:
    rows = httpx.post(f"{url}/automations/filter", json={}, trust_env=False).json()
    return Counter(row["name"] for row in rows)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_import_through_faults_ends_as_a_clean_one(
    source_server: Server, destination_server: Server, small: Bundle, seed: int
) -> None:
    """With a fault in every fourth write, an import, run again if it says so, ends whole and without duplicates."""
    with Proxy(destination_server.url, faults=Faults(seed, write_rate=0.25, read_rate=0.05)) as proxy:
        for _ in range(4):
            imported = import_into(proxy.url, small, patience=PATIENCE)
            states = {outcome.state for outcome in imported.result.outcomes}
            if states <= {"succeeded", "skipped"}:
                break

    assert states <= {"succeeded", "skipped"}
    assert compare(source_server.url, destination_server.url) == []
    assert len(_names(destination_server.url)) == len(_names(source_server.url))
    assert import_into(destination_server.url, small).sent.writes == 0


def test_an_automation_is_never_made_twice(destination_server: Server, small: Bundle) -> None:
    """Whatever becomes of the answer to its creation, an automation exists once."""
    with Proxy(destination_server.url) as proxy:
        import_into(proxy.url, small)
        creates = [number for number, write in enumerate(proxy.writes) if write.path.endswith("/automations/")]
    for row in httpx.post(f"{destination_server.url}/automations/filter", json={}, trust_env=False).json():
        httpx.delete(f"{destination_server.url}/automations/{row['id']}", trust_env=False).raise_for_status()

    kinds: tuple[Kind, ...] = ("answer-lost", "answer-cut", "error-after", "late-commit", "reset-before")
    script = Script({number: Fault(kinds[number % len(kinds)]) for number in range(0, len(creates), 2)})
    with Proxy(destination_server.url, faults=script) as proxy:
        import_into(proxy.url, small, patience=PATIENCE)
    again = import_into(destination_server.url, small)

    assert again.sent.writes == 0
    assert sum(_names(destination_server.url).values()) == len(creates)


def test_a_server_that_dies_for_good_ends_the_run_with_a_true_account(server_factory: Factory, small: Bundle) -> None:
    """When the destination goes away, the run ends soon, and says of every resource what became of it."""
    destination = server_factory(None)
    retries = RetryPolicy(budget_seconds=1)

    def stop_at(request: Recorded) -> None:
        if request.is_write and len(proxy.writes) == 60:
            destination.signal(signal.SIGSTOP)

    with Proxy(destination.url, on_request=stop_at) as proxy:
        policy = msgspec.structs.replace(retries, deadline_seconds=3)
        try:
            imported = import_into(proxy.url, small, retries=policy)
        finally:
            destination.signal(signal.SIGCONT)

    reasons = imported.reasons()
    made = sum(reasons.get(reason, 0) for reason in ("created", "created-without-secret"))
    assert 0 < made < len(small.records)
    assert reasons["unreachable"] > 0
    assert reasons["not-tried"] + reasons.get("waits-for", 0) > 100
    assert sum(reasons.values()) == len(small.records)
    assert import_into(destination.url, small).result.count("failed") == 0


def test_a_server_that_is_restarted_is_waited_for(
    source_server: Server, server_pool: ServerPool, small: Bundle, tmp_path: Path
) -> None:
    """When the server is killed in the middle and started again, the same run goes on and ends as a clean one."""
    directory = tmp_path / "server"
    first = processes.start(directory, settings=SETTINGS, database=server_pool.empty_database)
    settings = SETTINGS | {"PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false"}
    with ExitStack() as stack, ThreadPoolExecutor() as aside:

        def restart() -> None:
            first.signal(signal.SIGKILL)
            first.stop()
            stack.enter_context(processes.start(directory, settings=settings, port=first.port))

        def at_write(request: Recorded) -> None:
            if request.is_write and len(proxy.writes) == 80:
                restarts.append(aside.submit(restart))

        restarts: list[Future[None]] = []
        with Proxy(first.url, on_request=at_write) as proxy:
            imported = import_into(proxy.url, small, retries=RetryPolicy(budget_seconds=300), patience=PATIENCE)
        restarts[0].result()

        assert {outcome.state for outcome in imported.result.outcomes} <= {"succeeded", "skipped"}
        assert compare(source_server.url, first.url) == []
        assert import_into(first.url, small).sent.writes == 0
