"""What a bundle may cost its reader, all in one place."""

from __future__ import annotations

import msgspec

from bundle.files import MIB


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Upper bounds; a bundle beyond any of them is refused before the cost arises.

    ``*_bytes`` count uncompressed bytes. ``ratio`` is uncompressed to compressed and applies once
    ``ratio_from_bytes`` have been unpacked: the digest alone keeps honest records of up to 128 KiB
    below it. ``values`` bounds the JSON values in one document, ``depth`` their nesting.
    ``inner_references`` are those between two records of one wave, however many there are between the two;
    of references by name, no more than these are followed. Records that are held all together may take
    ``memory_bytes``, and ``memory_ratio`` times what was read of the file.
    """

    total_bytes: int = 8192 * MIB
    manifest_bytes: int = 64 * MIB
    provenance_bytes: int = 64 * 1024
    member_bytes: int = 32 * MIB
    record_bytes: int = 16 * MIB
    members: int = 100_000
    records: int = 10_000_000
    ratio: int = 4096
    ratio_from_bytes: int = 64 * MIB
    depth: int = 64
    values: int = 1_000_000
    key_length: int = 65_536
    inner_references: int = 65_536
    memory_bytes: int = 256 * MIB
    memory_ratio: int = 128
