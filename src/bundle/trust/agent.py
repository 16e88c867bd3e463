"""The SSH agent (draft-ietf-sshm-ssh-agent): which keys it has, and a signature by one of them."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from bundle.errors import BundleError
from bundle.trust import keys, sshsig
from bundle.trust.keys import PublicKey
from bundle.trust.sshsig import Signature
from bundle.trust.wire import MalformedError, Reader, string, uint32

_LIST, _LISTED = 11, 12
_SIGN, _SIGNED = 13, 14
_RSA_SHA2_512 = 4
_LONGEST = 256 * 1024
_TIMEOUT_SECONDS = 120.0


class Agent:
    """A connection to the agent behind a socket.

    Raises:
        BundleError: of every method, if there is no agent, it refuses, or its answer cannot be read.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def has(self, blob: bytes) -> bool:
        """Whether the agent has the private half of a key or certificate in binary form."""
        reader = self._ask(bytes((_LIST,)), _LISTED)
        with _understood():
            held = [(reader.string(), reader.string())[0] for _ in range(reader.uint32())]
            reader.end()
        return blob in held

    def sign(self, key: PublicKey, message: bytes) -> Signature:
        """The signature of a key over a message; RSA signs with SHA-512."""
        blob = key.wire if self.has(key.wire) else key.blob
        flags = _RSA_SHA2_512 if key.type == keys.RSA else 0
        reader = self._ask(bytes((_SIGN,)) + string(blob) + string(message) + uint32(flags), _SIGNED)
        with _understood():
            signature = sshsig.read_signature(key, reader.string())
            reader.end()
        return signature

    def _ask(self, request: bytes, expected: int) -> Reader:
        try:
            self._connection.sendall(string(request))
            length = int.from_bytes(self._receive(4))
            if not 0 < length <= _LONGEST:
                raise _failed("its answer is too long")
            answer = self._receive(length)
        except OSError as error:
            raise _failed((error.strerror or "no answer").lower()) from error
        if answer[0] != expected:
            raise _failed("it refused; the key may be locked, or not confirmed")
        return Reader(answer[1:])

    def _receive(self, length: int) -> bytes:
        received = b""
        while len(received) < length:
            chunk = self._connection.recv(length - len(received))
            if not chunk:
                raise _failed("it closed the connection")
            received += chunk
        return received


@contextlib.contextmanager
def connected(path: str) -> Iterator[Agent]:
    """The agent behind the socket at a path (``SSH_AUTH_SOCK``); raises as ``Agent``."""
    with contextlib.closing(_connect(path)) as connection:
        yield Agent(connection)


def _connect(path: str) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise _failed("this system has no sockets for it")
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(_TIMEOUT_SECONDS)
    try:
        connection.connect(path)
    except OSError as error:
        connection.close()
        raise _failed((error.strerror or "cannot be reached").lower()) from error
    return connection


@contextlib.contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except MalformedError as error:
        raise _failed(f"its answer cannot be read: {error}") from error


def _failed(reason: str) -> BundleError:
    return BundleError(f"the SSH agent did not sign: {reason}", hint="see `ssh-add -l`, and SSH_AUTH_SOCK")
