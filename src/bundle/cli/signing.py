"""Signing at the command line: by ``ssh-keygen`` where there is one, else in process."""

from __future__ import annotations

import io
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from bundle.cli import passphrases
from bundle.cli.sources import STANDARD
from bundle.errors import UsageError
from bundle.files import check_target
from bundle.trust.verify import Namespace, signature_path

if TYPE_CHECKING:
    from bundle.trust.signing import Signer

KEY = "KEY"
"""How a key for signing is called in help texts: a private key, or a .pub whose private half is in the SSH agent."""

sign = click.option("--sign", "key", metavar=KEY, help="Sign the bundle with this SSH key, into a .sig beside it.")


def signer_of(key: str) -> Signer:
    """What signs with a key.

    Raises:
        UsageError: the key cannot be read, or the extra is not installed.
    """
    # Not at the top: it needs the extra.
    from bundle.trust import private_keys, signing  # noqa: PLC0415

    path = Path(key)
    private_keys.read(path)
    program = shutil.which("ssh-keygen")
    if program is not None:
        return signing.by_ssh_keygen(program, path)
    return signing.in_process(path, agent_socket=os.environ.get("SSH_AUTH_SOCK"), ask=passphrases.ask)


def of_output(
    key: str | None, file: str, *, force: bool, namespace: Namespace = Namespace.BUNDLE
) -> Callable[[BinaryIO], object]:
    """What is to be done with a file before it appears: its signature is put where it belongs.

    Raises:
        UsageError: the key cannot be used, or there is no file to sign.
        OutputError: the signature is there and ``force`` is not given.
    """
    if key is None:
        return lambda _: None
    if file == STANDARD:
        raise UsageError("standard output cannot be signed", hint="write to a file: -o FILE")
    signer, target = signer_of(key), signature_path(Path(file))
    check_target(target, force)

    def seal(stream: BinaryIO) -> None:
        from bundle.trust.signing import sign_stream  # noqa: PLC0415 - as above

        sign_stream(stream, target, signer, namespace=namespace, force=force)

    return seal


def signature_of(content: bytes, key: str, namespace: Namespace = Namespace.BUNDLE) -> bytes:
    """The signature file of a bundle, or another kind of file, that is in memory.

    Raises:
        UsageError: the key cannot be used.
    """
    with tempfile.TemporaryDirectory(prefix="xfer-") as directory:
        file = Path(directory, "content")
        seal = of_output(key, str(file), force=False, namespace=namespace)
        seal(io.BytesIO(content))
        return signature_path(file).read_bytes()
