"""The nouns: record, reference, secret, manifest, and the seam to a server.

A *resource* is one object on a server. A *record* is its portable form: the
*body* without ids, and beside it, as JSON Pointers, where references and
secrets are. A *key* (``deployment:etl/nightly``) names a resource on every
server; an *id* names it on one.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec

Json = Any
Body = dict[str, Json]
Key = str
Pointer = str
JsonType = Literal["string", "number", "boolean", "array", "object"]

FORMAT_VERSION = "1.3"


def kind_of(key: Key) -> str:
    """The kind of a key, the part before the first colon: ``deployment`` of ``deployment:etl/nightly``."""
    return key.partition(":")[0]


def name_of(key: Key) -> str:
    """The natural name in a key, the part after the first colon: ``etl/nightly`` of ``deployment:etl/nightly``."""
    return key.partition(":")[2]


class Reference(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a body refers to another resource, and how (docs/format.md, "References").

    ``name``: the value at ``pointer`` contains the target's name, which is the
    same on every server; nothing is rewritten. ``uuid``: the target's id was
    cut out of the string at ``pointer``; it goes back in at ``offset`` (in
    code points of the string as stored). ``hex``: the same, written without
    dashes. ``member``: the id was part of the member name that
    ``pointer`` ends with; there the target's key is in its place at ``offset``.
    """

    pointer: Pointer
    target: Key
    form: Literal["name", "uuid", "hex", "member"] = "uuid"
    offset: int = 0


class Secret(msgspec.Struct, frozen=True):
    """A place whose value was taken out of the body (null is there instead)."""

    pointer: Pointer
    slot: str
    type: JsonType


class Record(msgspec.Struct, frozen=True):
    """One resource in its portable form: one line of a bundle member.

    ``digest`` is the SHA-256 (64 hex digits) of the canonical JSON of all the
    other fields, so it binds the key to the content.
    """

    key: Key
    body: Body
    references: tuple[Reference, ...]
    secrets: tuple[Secret, ...]
    digest: str

    @property
    def kind(self) -> str:
        """The part of the key before the first colon."""
        return kind_of(self.key)


class Placed(msgspec.Struct, frozen=True):
    """A record and its wave: everything it needs is in an earlier wave.

    Only members of one reference cycle share a wave and refer to each other.
    """

    wave: int
    record: Record


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something an operator should know about one place of one resource.

    ``code`` is one of ``FINDING_CODES``; ``detail`` never holds a value that
    may be secret.
    """

    code: str
    key: Key
    pointer: Pointer = ""
    detail: str = ""


FINDING_CODES: Mapping[str, str] = {
    "dangling-reference": "the id names an object that no longer exists at the source; kept unchanged",
    "unexplained-uuid": "an id of nothing in the bundle; kept unchanged",
    "unresolved-name": "a template names a block or variable that the source does not have",
    "secret-suspected": "a value looks like a secret in a place that Prefect does not mask",
    "unknown-field": "a field that this version of xfer does not know; exported unchanged",
    "ambiguous-owner": "the API does not show whether the deployment that it runs owns it; imported unowned. "
    "If `prefect deploy` made it, the next one makes a second, and both fire: name the owner with --owner",
    "leftover-queue": "names a queue of a deleted work pool; left out, since sending it would create a pool",
    "not-portable": "names a run, schedule, account or the like by its id, which means nothing on another server",
    "new-address": "gets another URL wherever it is created; its callers must be updated",
    "access-list": "an access list of Prefect Cloud names so many people, teams and service accounts; not exported, "
    "since they belong to one account: set it again at the destination",
    "left-out": "could not be exported; see what was left out",
    "no-runtime": "agents and infrastructure blocks ended with Prefect 2; exported, but no Prefect 3 worker uses it",
}


class LeftOut(msgspec.Struct, frozen=True):
    """Objects of one kind that were seen and, for a reason, not exported."""

    kind: str
    reason: str
    count: int
    names: tuple[str, ...] = ()


LEFT_OUT_REASONS: Mapping[str, str] = {
    "built-in": "every Prefect server creates it by itself, and nothing exported needs it",
    "became-automation": "exported as the automation that Prefect's own upgrade to 3.4 makes of it",
    "carried-by-owner": "exported as the concurrency limit of the deployment that it belongs to",
    "orphan": "what it belongs to no longer exists, or could not be exported",
    "not-portable": "not as Prefect has it, or beyond what a bundle can hold; the findings say what is wrong",
    "unreadable": "the server does not let these credentials read this kind, or answers with something else",
    "unreferenced-anonymous": "an anonymous block that nothing refers to",
    "not-set": "supported by the server, but not set",
    "excluded": "the selection leaves it out",
}


NOT_EXPORTED = frozenset({"not-portable", "unreadable"})
"""The reasons for which something is lacking that should have been exported."""


class Count(msgspec.Struct, frozen=True):
    """The account of one kind at export: ``seen == exported + left_out``."""

    seen: int
    exported: int
    left_out: int


class Requirement(msgspec.Struct, frozen=True):
    """The least format version a reader must know, and why."""

    version: str
    reason: str


class Member(msgspec.Struct, frozen=True):
    """One file of the bundle: ``size`` in bytes, uncompressed; ``count`` in records."""

    name: str
    kind: str
    wave: int
    count: int
    size: int
    sha256: str


class Wave(msgspec.Struct, frozen=True):
    """One step of the dependency order: these kinds, this many records."""

    wave: int
    kinds: tuple[str, ...]
    count: int


class SecretSlot(msgspec.Struct, frozen=True):
    """A secret placeholder as the manifest lists it."""

    slot: str
    resource: Key
    pointer: Pointer
    type: str


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """What the exporter knows of a bundle before its members are written."""

    census: dict[str, Count]
    left_out: tuple[LeftOut, ...] = ()
    findings: tuple[Finding, ...] = ()
    selection: dict[str, Json] = {}
    provenance: dict[str, Json] = {}
    requires: tuple[Requirement, ...] = ()
    external: tuple[Key, ...] = ()
    lean: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """``manifest.json``, the first member of a bundle (docs/format.md, "Manifest").

    ``external`` (format 1.1) are keys that records refer to without being here.
    ``lean`` (format 1.3): each body is nothing but the digest of the record that it stands for.
    ``content_digest`` is the SHA-256 over the digests of all records in
    bundle order, each followed by a newline; it does not depend on ``provenance``.
    """

    format: str
    requires: tuple[Requirement, ...]
    content_digest: str
    census: dict[str, Count]
    members: tuple[Member, ...]
    order: tuple[Wave, ...]
    secrets: tuple[SecretSlot, ...]
    left_out: tuple[LeftOut, ...]
    findings: tuple[Finding, ...]
    selection: dict[str, Json]
    provenance: dict[str, Json]
    external: tuple[Key, ...] | msgspec.UnsetType = msgspec.UNSET
    lean: Literal[True] | msgspec.UnsetType = msgspec.UNSET

    @property
    def is_lean(self) -> bool:
        """Whether it holds keys and digests only."""
        return self.lean is not msgspec.UNSET


class Bundle(msgspec.Struct, frozen=True):
    """A bundle, read and verified."""

    manifest: Manifest
    records: tuple[Placed, ...]


class Event(msgspec.Struct, frozen=True):
    """Progress as a value: ``done`` of ``total`` objects of ``kind`` in ``phase``.

    ``total`` is None while it is not known. ``phase`` is ``read``,
    ``import``, ``switch`` or ``rollback``.
    """

    phase: str
    kind: str
    done: int
    total: int | None = None


class Api(Protocol):
    """One Prefect server: the narrow seam through which all requests go.

    Paths start with ``/`` and are relative to the API URL; path segments are
    already percent-encoded by the caller (``segment`` does it). Each call
    raises ``Unreachable``, ``AccessDenied`` or ``RequestRejected``.
    """

    @property
    def url(self) -> str:
        """The API URL without credentials, for messages."""
        ...

    @property
    def is_cloud(self) -> bool:
        """Whether the URL names a Prefect Cloud workspace."""
        ...

    @property
    def unanswered(self) -> int:
        """How many writes got no answer up to now, and may take effect late."""
        ...

    async def get(self, path: str) -> Json:
        """The decoded answer of ``GET path``."""
        ...

    async def read(self, path: str, body: Body) -> Json:
        """The answer of a ``POST`` that only reads (``/filter``, ``/count``): safe to repeat."""
        ...

    def pages(self, path: str, body: Body | None = None) -> AsyncIterator[list[Json]]:
        """Pages of ``POST path`` (a ``/filter`` route) until an empty one; ``limit`` is never sent."""
        ...

    async def write(
        self,
        method: Literal["POST", "PUT", "PATCH", "DELETE"],
        path: str,
        body: Json = None,
        *,
        repeatable: bool,
        on_existing: Callable[[], None] = lambda: None,
    ) -> Json:
        """Send one write; ``repeatable`` says that sending it twice does no harm.

        ``on_existing`` is called where the status is 200, not 201, so that what is in the answer was there before;
        not where that may be the work of an earlier attempt. Returns the decoded answer, None when it has no body.
        """
        ...
