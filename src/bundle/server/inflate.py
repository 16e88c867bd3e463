"""Decompression in small steps, so that no chunk of a few bytes becomes gigabytes before anybody looks. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

_STEP = 256 * 1024
_GZIP = 16 + zlib.MAX_WBITS


class Inflater:
    """Takes the chunks of a gzip stream, and gives what they hold piece by piece."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP)

    @property
    def is_whole(self) -> bool:
        """Whether the stream has come to its end."""
        return self._stream.eof

    def pieces(self, chunk: bytes) -> Iterator[bytes]:
        """What the next chunk adds, in pieces of bounded size.

        Raises:
            zlib.error: it is not gzip.
        """
        while chunk and not self._stream.eof:
            yield self._stream.decompress(chunk, _STEP)
            chunk = self._stream.unconsumed_tail
