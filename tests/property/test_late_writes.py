"""A write that nobody answered may take effect late, after others that were sent since."""

from __future__ import annotations

import asyncio
import os

import httpx

from bundle.plan import Conflicts
from fake_prefect import FakePrefect
from offline import bundle_of, edited, import_into, seeded

# Every 11th write in every run, each of them when asked for.
STRIDE = int(os.environ.get("XFER_LATE_STRIDE", "11"))
LATE_SECONDS = 4.0


class Late(httpx.AsyncBaseTransport):
    """Breaks the connection at the k-th write, counted from 0, and lets the write through some seconds later."""

    def __init__(self, fake: FakePrefect, k: int) -> None:
        self._fake = fake
        self._left = k
        self.late: asyncio.Task[None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if request.method != "GET" and not request.url.path.endswith(("/filter", "/count")):
            self._left -= 1
            if self._left == -1:
                self.late = asyncio.create_task(self._commit(request))
                raise httpx.ReadError("broken off")
        return self._fake.handle(request)

    async def _commit(self, request: httpx.Request) -> None:
        await asyncio.sleep(LATE_SECONDS)
        self._fake.handle(request)


def _writes() -> int:
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    return len(fake.writes)


def test_a_late_write_does_not_undo_later_ones() -> None:
    """Whichever write comes late, the import ends with the content of the bundle, and the next one has no work."""
    for k in range(0, _writes(), STRIDE):
        fake = FakePrefect(seed=1)
        way = Late(fake, k)

        result = import_into(fake, seeded(), way)

        assert way.late is not None, k
        assert not way.late.cancelled(), k
        assert {outcome.state for outcome in result.outcomes} <= {"succeeded", "skipped"}, k
        assert bundle_of(fake).manifest.content_digest == seeded().manifest.content_digest, k
        fake.reset()
        import_into(fake, seeded())
        assert fake.writes == [], k


def test_a_late_update_does_not_undo_later_ones() -> None:
    """The same of an import that updates what the destination has."""
    whole = edited()
    import_into(whole, seeded(), on_conflict=Conflicts("update"))
    digest = bundle_of(whole).manifest.content_digest
    for k in range(0, len(whole.writes), 3):
        fake = edited()

        import_into(fake, seeded(), Late(fake, k), on_conflict=Conflicts("update"))

        assert bundle_of(fake).manifest.content_digest == digest, k
