"""Signing a file: the signature is made, checked once more, and put beside the file.

By ``ssh-keygen`` where there is one, else in process. A ``.pub`` as key means its private half in the SSH agent, or in
the file beside it. The file itself is never changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import msgspec

from bundle.container.archive import MAGIC
from bundle.errors import BundleError, UsageError
from bundle.files import atomic, check_target
from bundle.trust import agent, algorithms, digests, keys, private_keys, ssh_keygen, sshsig
from bundle.trust.digests import opened
from bundle.trust.keys import PublicKey
from bundle.trust.private_keys import AskPassphrase, PrivateKey
from bundle.trust.sshsig import Envelope, Signature
from bundle.trust.statements import APPROVAL, RESULT
from bundle.trust.verify import SEALED_START, Namespace, is_signer_name, signature_path
from bundle.trust.wire import MalformedError

Signed = tuple[bytes, bytes]
"""A signature file, and the SHA-512 that it is over."""
Signer = Callable[[BinaryIO, str], Signed]
"""Signs all that is left of a file for a namespace."""


def sign_file(path: Path, signer: Signer, *, namespace: Namespace, force: bool, name: str = "") -> Path:
    """Sign a file; gives the place of the signature: ``FILE.sig``, or ``FILE.NAME.sig`` for a further signer.

    Raises:
        BundleError: there is no such file, the signer fails, or what it made does not fit.
        OutputError: the signature is there and ``force`` is not given, or cannot be written.
    """
    if name and not is_signer_name(name):
        raise UsageError(f"{name!r} cannot be part of a file's name", hint="use letters, digits, - and _")
    target = signature_path(path, name)
    check_target(target, force)
    with opened(path) as file:
        sign_stream(file, target, signer, namespace=namespace, force=force)
    return target


def sign_stream(file: BinaryIO, target: Path, signer: Signer, *, namespace: Namespace, force: bool) -> None:
    """Sign all that is left of a stream; ``target`` is where the signature goes. Raises as ``sign_file``."""
    signature, digest = signer(file, namespace)
    _check(signature, digest, namespace)
    with atomic(target, force=force) as output:
        output.write(signature)


def _check(signature: bytes, digest: bytes, namespace: Namespace) -> None:
    """Nothing is written that our own verification would refuse whoever signed it."""
    try:
        envelope = sshsig.read(signature)
    except MalformedError as error:
        raise BundleError(f"the signature is not one that xfer accepts: {error}", hint="use another key") from error
    message = sshsig.message(namespace, "sha512", digest)
    if envelope.namespace != namespace or not algorithms.fits(envelope.key, envelope.signature, message):
        raise BundleError("the signature does not fit the file", hint="sign again; the file may have changed meanwhile")


def by_ssh_keygen(program: str, key: Path) -> Signer:
    """A signer that is the program ``ssh-keygen``; it asks for a passphrase by itself."""
    return lambda file, namespace: ssh_keygen.sign(program, key, namespace, file)


def in_process(key: Path, *, agent_socket: str | None, ask: AskPassphrase) -> Signer:
    """A signer without any program: ``key`` is a private key, or a ``.pub`` (see the module).

    Raises:
        UsageError: the key cannot be read or used.
        BundleError: the agent cannot be asked.
    """
    if key.suffix != ".pub":
        private = private_keys.load(key, ask)
        return _with_private(private, private_keys.public_key(private, str(key)))
    public = read_public(key)
    if agent_socket is not None and _is_in_agent(public, agent_socket):
        return _with_agent(public, agent_socket)
    return _with_private(_beside(key, public, ask), public)


def _beside(key: Path, public: PublicKey, ask: AskPassphrase) -> PrivateKey:
    """The private half of a ``.pub``, from the file beside it."""
    place = key.with_name(re.sub(r"(-cert)?\.pub$", "", key.name))
    if not place.exists():
        raise UsageError(f"{key}: its private half is not in the SSH agent, nor beside it", hint="`ssh-add` it")
    private = private_keys.load(place, ask)
    if private_keys.public_key(private, str(place)).blob != public.blob:
        raise UsageError(f"{place}: not the private half of {key.name}", hint="name the key that you mean")
    return private


def read_public(path: Path) -> PublicKey:
    """The public key or certificate of a ``.pub`` file.

    Raises:
        UsageError: it cannot be read, or is none that is supported.
    """
    words = private_keys.read(path).decode(errors="replace").split()
    try:
        return keys.read_line(*([*words, "", ""][:2]))
    except (MalformedError, UnicodeError) as error:
        raise UsageError(f"{path}: not a public key of SSH: {error}", hint="name a private key, or a .pub") from error


def _is_in_agent(public: PublicKey, agent_socket: str) -> bool:
    with agent.connected(agent_socket) as connection:
        return connection.has(public.wire) or connection.has(public.blob)


def _with_agent(public: PublicKey, agent_socket: str) -> Signer:
    def sign(message: bytes) -> Signature:
        with agent.connected(agent_socket) as connection:
            return connection.sign(public, message)

    return _signer(public, sign)


def _with_private(private: PrivateKey, public: PublicKey) -> Signer:
    return _signer(public, lambda message: algorithms.sign(private, public, message))


def _signer(public: PublicKey, sign: Callable[[bytes], Signature]) -> Signer:
    def signed(file: BinaryIO, namespace: str) -> Signed:
        sha512 = digests.digest(file, "sha512")
        signature = sign(sshsig.message(namespace, "sha512", sha512))
        return sshsig.write(Envelope(public, namespace, "sha512", signature)), sha512

    return signed


class _Head(msgspec.Struct):
    """What tells the JSON documents of xfer apart."""

    xfer_plan: str | None = None
    predicateType: str | None = None  # noqa: N815 - in-toto's name


_LONGEST_DOCUMENT = 256 * 1024 * 1024
_BY_START = {MAGIC: Namespace.BUNDLE, SEALED_START: Namespace.SECRETS}


def namespace_of(path: Path) -> Namespace:
    """As what a file is to be signed, by its content.

    Raises:
        BundleRejected: it cannot be read.
        UsageError: it is not a file of xfer's.
    """
    with opened(path) as file:
        start = file.read(32)
        for magic, namespace in _BY_START.items():
            if start.startswith(magic):
                return namespace
        rest = file.read(_LONGEST_DOCUMENT) if start.lstrip().startswith(b"{") else b""
    found = _of_document(start + rest)
    if found is None:
        raise UsageError(
            f"{path}: not a bundle, plan, approval, result or sealed file", hint="sign other files with ssh-keygen"
        )
    return found


def _of_document(data: bytes) -> Namespace | None:
    try:
        head = msgspec.json.decode(data, type=_Head)
    except (msgspec.DecodeError, UnicodeError):
        return None
    if head.xfer_plan is not None:
        return Namespace.PLAN
    return {APPROVAL: Namespace.APPROVAL, RESULT: Namespace.RESULT}.get(head.predicateType or "")
