"""What a kind is handed: readers of a server, look-ups in an environment, senders of writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from bundle.errors import Unreachable
from bundle.model import Body, Json, Key, Pointer
from bundle.record.references import is_id

Raw = Body
"""A resource as a server answers it."""


class Reader(Protocol):
    """Reads lists from a server; the same list asked for twice is read once."""

    @property
    def is_cloud(self) -> bool: ...

    @property
    def is_deep(self) -> bool:
        """Whether to read also what no list shows: who owns an automation."""
        ...

    @property
    def asks_all(self) -> bool:
        """Whether a deep read asks every deployment for what it owns, not only those that can be told to."""
        ...

    async def rows(self, path: str, body: Body | None = None) -> list[Raw]: ...

    async def get(self, path: str) -> Json:
        """The response to ``GET path``; None where the server has no such route or object."""
        ...

    def checked(self, path: str, found: Json) -> list[Raw]:
        """What a path answered, if it is a list of rows as the kind of that path has them; else an error is raised."""
        ...

    async def count(self, path: str, body: Body | None = None) -> int | None:
        """The number that ``POST path`` answers; None where the server has no such route."""
        ...


class Look(Protocol):
    """Looks up other resources of the same environment by id."""

    def raw(self, identifier: str | None) -> Raw | None: ...

    def name(self, identifier: str | None) -> str | None:
        """The natural name of a resource, without its kind."""
        ...

    def index(self, kind: str, field: str) -> Mapping[str, list[Raw]]:
        """All resources of a kind by the value of one field."""
        ...


class Made(msgspec.Struct, frozen=True):
    """What exists at the destination: the id, and the server's view where there is one.

    ``hidden`` are the places of live secrets that the server does not show.
    """

    id: str
    raw: Raw = {}
    hidden: tuple[Pointer, ...] = ()


def made_of(answer: Json) -> Made:
    """What a creation made, by what it was answered with.

    Raises:
        Unreachable: there is no id in it, so nobody knows yet what was made.
    """
    identifier = answer.get("id") if isinstance(answer, dict) else None
    if not isinstance(identifier, str) or not is_id(identifier):
        raise Unreachable(
            "the destination answered without an id", hint="see whether something answers in its place", maybe_done=True
        )
    return Made(identifier, answer)


class Conformity(msgspec.Struct, frozen=True):
    """A value that a server checks by a schema.

    ``against`` is the schema; or the key of the pool that has it, or of the deployment whose pool has it; None where
    what has it is nowhere, but named at ``named_at``. ``what`` is refused where it does not conform; ``reason`` is then
    that of its creation.
    """

    place: Pointer
    against: Key | Body | None
    what: str
    reason: str
    named_at: Pointer = ""


class Offer(Protocol):
    """What a destination's version offers, and what it holds."""

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers of its version; none where it is not known."""
        ...

    def takes(self, method: str, template: str, name: str) -> bool:
        """Whether a route takes a field; True where that is not known."""
        ...

    def raw(self, identifier: str) -> Raw | None:
        """What the destination holds under an id."""
        ...


class Destination(Protocol):
    """Where resources are created: sends writes, leaving out fields that the server does not take.

    ``template`` is the route as the API documents it, ``/work_pools/{name}``;
    the segments are quoted and put in.
    """

    @property
    def is_cloud(self) -> bool: ...

    @property
    def version(self) -> tuple[int, ...]:
        """Of the server, empty where it is not known."""
        ...

    @property
    def mark(self) -> str:
        """The mark of the record that is being created (``Kind.pending``)."""
        ...

    async def post(
        self, template: str, body: Json, *, repeatable: bool = True, tells_new: bool = True, **segments: str
    ) -> Raw:
        """``tells_new``: 201 means that it was made just now, 200 that it was there."""
        ...

    async def get(self, template: str, **segments: str) -> Json:
        """What the destination answers now."""
        ...

    async def put(self, template: str, body: Body, *, tells_new: bool = False, **segments: str) -> Raw: ...

    async def patch(self, template: str, body: Body, **segments: str) -> None: ...

    async def delete(self, template: str, **segments: str) -> None:
        """Delete; a resource that is not there any more is no error."""
        ...

    def raw(self, identifier: str) -> Raw | None:
        """What the destination holds under an id, as read, or as answered when it was created."""
        ...

    def is_new(self, identifier: str) -> bool:
        """Whether a resource was created by this run or by an earlier one that did not finish."""
        ...
