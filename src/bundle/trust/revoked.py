"""The file of keys that are not trusted any more: public keys, one a line, as OpenSSH's ``-r`` takes them.

A revoked authority revokes every certificate by it. OpenSSH's binary lists (KRL) are refused, not passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bundle.errors import UsageError
from bundle.files import input_errors
from bundle.trust import keys
from bundle.trust.allowed_signers import lines_of, text_of
from bundle.trust.keys import PublicKey
from bundle.trust.wire import MalformedError

_KRL = b"SSHKRL\n\0"


def load(path: Path) -> frozenset[bytes]:
    """The keys of a file, in binary form and without their certificates.

    Raises:
        UsageError: it cannot be read, one of its lines cannot, or it is a KRL.
    """
    _refuse_krl(path)
    return frozenset(_blobs(text_of(path), str(path)))


def is_revoked(key: PublicKey, revoked: frozenset[bytes]) -> bool:
    """Whether the key is revoked, or the authority of its certificate."""
    authority = {key.certificate.authority.blob} if key.certificate else set()
    return not revoked.isdisjoint({key.blob, *authority})


def _refuse_krl(path: Path) -> None:
    with input_errors(path, UsageError, hint="name a file of revoked keys"), path.open("rb") as file:
        start = file.read(len(_KRL))
    if start == _KRL:
        raise UsageError(
            f"{path}: a binary key revocation list (KRL), which xfer does not read",
            hint="list the public keys, one a line; `ssh-keygen -Qlf KRL` shows what a KRL holds",
        )


def _blobs(text: str, name: str) -> Iterator[bytes]:
    for number, line in lines_of(text):
        words = line.split(None, 2)
        try:
            yield _blob(words[0], words[1] if len(words) > 1 else "")
        except MalformedError as error:
            raise UsageError(f"{name}:{number}: {error}", hint="a line is: KEYTYPE KEY [COMMENT]") from error


def _blob(type_: str, encoded: str) -> bytes:
    # Only of a certificate the key inside is needed; a key that is too weak to be trusted can still be revoked.
    blob = keys.decode_line(type_, encoded)
    return keys.read(blob).blob if type_.endswith(keys.CERTIFICATE_SUFFIX) else blob
