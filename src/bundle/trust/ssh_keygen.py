"""Signing by the program ``ssh-keygen``, as git does it: it knows agents, security keys, PKCS#11 and passphrases."""

from __future__ import annotations

import contextlib
import hashlib
import subprocess
from pathlib import Path
from typing import BinaryIO

from bundle.errors import BundleError
from bundle.trust.digests import chunks


def sign(program: str, key: Path, namespace: str, file: BinaryIO) -> tuple[bytes, bytes]:
    """The signature file over all that is left of ``file``, and the SHA-512 of it; read once, in bounded memory.

    The program asks for a passphrase, a PIN or a touch by itself.

    Raises:
        BundleError: it cannot be started, or fails; the message is what it says.
    """
    command = [program, "-Y", "sign", "-n", namespace, "-f", str(key)]
    pipe = subprocess.PIPE
    try:
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe)  # noqa: S603 - no shell
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise BundleError(f"ssh-keygen cannot be started: {reason}", hint="install OpenSSH") from error
    with process:
        digest = _feed(process, file)
        output, errors = process.communicate()
    if process.returncode:
        said = " ".join(errors.decode(errors="replace").split()) or f"exit code {process.returncode}"
        raise BundleError(f"ssh-keygen did not sign: {said}", hint=f"check that {key} is the key you mean")
    return output, digest


def _feed(process: subprocess.Popen[bytes], file: BinaryIO) -> bytes:
    digest = hashlib.sha512()
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    # Where the program stops reading, it says why at the end.
    with contextlib.suppress(BrokenPipeError):
        for chunk in chunks(file):
            digest.update(chunk)
            process.stdin.write(chunk)
    return digest.digest()
