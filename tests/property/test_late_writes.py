"""A write that nobody answered may take effect late, after others that were sent since."""

from __future__ import annotations

import asyncio
import os

import httpx

from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.seeded import seeded
from support.tampering import Tampering, is_write

# Every 40th write in every run, each of them when asked for.
STRIDE = int(os.environ.get("XFER_LATE_STRIDE", "40"))
LATE_SECONDS = 4.0


class Late:
    """Breaks the connection at the k-th write, counted from 0, and lets the write through some seconds later."""

    def __init__(self, fake: FakePrefect, k: int) -> None:
        self._fake = fake
        self._left = k
        self.task: asyncio.Task[None] | None = None
        self.way = Tampering(fake, self._before)

    def _before(self, request: httpx.Request) -> None:
        self._left -= is_write(request)
        if self._left == -1 and is_write(request):
            self.task = asyncio.create_task(self._commit(request))
            raise httpx.ReadError("broken off")

    async def _commit(self, request: httpx.Request) -> None:
        await asyncio.sleep(LATE_SECONDS)
        self._fake.handle(request)


def _numbers() -> list[int]:
    """Some writes of an import, among them all that replace the schedules of a deployment."""
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    replacing = {k for k, write in enumerate(fake.writes) if write.method == "PATCH" and "schedules" in write.body}
    assert replacing
    return sorted({*range(0, len(fake.writes), STRIDE), *replacing})


def test_a_late_write_does_not_undo_later_ones() -> None:
    """Whichever write comes late, the import ends with the content of the bundle, and the next one has no work."""
    for k in _numbers():
        fake = FakePrefect(seed=1)
        late = Late(fake, k)

        result = import_into(fake, seeded(), late.way)

        assert late.task is not None, k
        assert not late.task.cancelled(), k
        assert {outcome.state for outcome in result.outcomes} <= {"succeeded", "skipped"}, k
        assert bundle_of(fake).manifest.content_digest == seeded().manifest.content_digest, k
        fake.reset()
        import_into(fake, seeded())
        assert fake.writes == [], k
