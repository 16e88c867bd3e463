"""The binary form of SSH (RFC 4251, section 5): numbers, and strings with their length before them.

There is one encoding for each value, and nothing may be left over: what ``Reader`` accepts is what the functions here
would write.
"""

from __future__ import annotations


class MalformedError(ValueError):
    """Bytes or text are not of the form they should have; the message says what is wrong, without a place."""


class Reader:
    """Takes values from the front of some bytes.

    Raises:
        MalformedError: of every method, if there is no such value.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.offset = 0

    def take(self, length: int) -> bytes:
        """Exactly so many bytes."""
        end = self.offset + length
        if end > len(self._data):
            raise MalformedError("it ends too early")
        taken = self._data[self.offset : end]
        self.offset = end
        return taken

    def byte(self) -> int:
        """An unsigned 8-bit number."""
        return self.take(1)[0]

    def uint32(self) -> int:
        """An unsigned 32-bit number."""
        return int.from_bytes(self.take(4))

    def uint64(self) -> int:
        """An unsigned 64-bit number."""
        return int.from_bytes(self.take(8))

    def string(self) -> bytes:
        """Bytes with their length before them."""
        return self.take(self.uint32())

    def text(self) -> str:
        """A string of printable ASCII."""
        data = self.string()
        if not data.isascii() or not data.decode("ascii").isprintable():
            raise MalformedError("a name in it is not plain text")
        return data.decode("ascii")

    def positive(self) -> int:
        """A number above zero of any length (``mpint``), without needless zeros."""
        data = self.string()
        number = int.from_bytes(data, signed=True)
        if number <= 0 or mpint(number)[4:] != data:
            raise MalformedError("a number in it is not positive, or not written the shortest way")
        return number

    def end(self) -> None:
        """Nothing is left."""
        if self.offset != len(self._data):
            raise MalformedError("there is something behind its end")


def uint32(number: int) -> bytes:
    """An unsigned 32-bit number."""
    return number.to_bytes(4)


def uint64(number: int) -> bytes:
    """An unsigned 64-bit number."""
    return number.to_bytes(8)


def string(data: bytes | str) -> bytes:
    """Bytes, or text in ASCII, with their length before them."""
    raw = data.encode("ascii") if isinstance(data, str) else data
    return uint32(len(raw)) + raw


def mpint(number: int) -> bytes:
    """A number that is not negative, of any length."""
    return string(number.to_bytes(number.bit_length() // 8 + 1) if number else b"")
