"""What can be wrong in a store, as codes."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

CHECK_CODES: Mapping[str, str] = {
    "missing": "the bundle that a point names is not there: the snapshot is lost",
    "size-differs": "the bundle is not as long as its point says: the snapshot is lost",
    "content-differs": "the bundle is not what was written: the snapshot is lost",
    "point-damaged": "the point cannot be read; its bundle may be good",
    "orphan": "a bundle without a point: its writer was killed, or is still writing; `forget` removes it after a day",
}
HARMLESS = frozenset({"orphan"})


class Fault(msgspec.Struct, frozen=True):
    """Something that is not as it should be: ``points`` are the snapshots that are concerned by ``object``."""

    code: str
    object: str
    points: tuple[str, ...] = ()
