"""What a server may cost whoever reads it, all in one place (docs/limits.md)."""

from __future__ import annotations

import msgspec

from bundle.files import MIB


class ServerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Upper bounds; what is beyond any of them is refused before it is decoded.

    ``answer_bytes`` are those of one answer after decompression. ``answer_memory_bytes`` is what an
    answer may take in memory once it is decoded, by an estimate from its bytes; ``memory_bytes`` the same for all lists
    of a server together. ``pages`` and ``rows`` are of one listing.
    """

    answer_bytes: int = 16 * MIB
    answer_memory_bytes: int = 64 * MIB
    memory_bytes: int = 192 * MIB
    pages: int = 100_000
    rows: int = 1_000_000
