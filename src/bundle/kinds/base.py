"""What a kind of resource says of itself, and the defaults it may keep.

A kind knows where its resources are listed, what they are called, which of
their fields travel, and how one is made. It never knows httpx, files or the
command line. A module beside this one that defines ``KIND`` is a kind; nothing
else has to be told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import ClassVar, Protocol

import msgspec

from bundle.canonical import encode
from bundle.model import Body, Json, JsonType, Key, Pointer
from bundle.references import blank_ids

Raw = Body


class Reader(Protocol):
    """Reads lists from a server; the same list asked for twice is read once."""

    @property
    def is_cloud(self) -> bool: ...

    @property
    def is_deep(self) -> bool:
        """Whether to read also what costs a request for each resource."""
        ...

    async def rows(self, path: str, body: Body | None = None) -> list[Raw]: ...

    async def get(self, path: str) -> Json:
        """The answer of ``GET path``; None where the server has no such route or object."""
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
    """What a write left at the destination: the id, and the server's view where it answered one."""

    id: str
    raw: Raw = {}


class Destination(Protocol):
    """Where resources are made: sends writes, leaving out fields that the server does not take.

    ``template`` is the route as the API documents it, ``/work_pools/{name}``;
    the segments are quoted and put in.
    """

    @property
    def is_cloud(self) -> bool: ...

    async def post(self, template: str, body: Body, *, repeatable: bool = True, **segments: str) -> Raw: ...

    async def put(self, template: str, body: Body, **segments: str) -> Raw: ...

    async def patch(self, template: str, body: Body, **segments: str) -> None: ...

    async def delete(self, template: str, **segments: str) -> None:
        """Delete; a resource that is not there any more is no error."""
        ...

    @property
    def keeps_tag_limits_as_global(self) -> bool: ...

    def raw(self, identifier: str) -> Raw | None:
        """What the destination holds under an id, as read, or as answered when it was made."""
        ...

    def is_new(self, identifier: str) -> bool:
        """Whether a resource was made by this run or by an earlier one that did not finish."""
        ...


class Kind:
    """One kind of resource. Subclasses give at least ``name``, ``path``, ``fields`` and ``natural_name``."""

    name: ClassVar[str]
    path: ClassVar[str]
    fields: ClassVar[frozenset[str]]
    """Fields that travel. Those equal to their default are left out of the body."""
    ignored: ClassVar[frozenset[str]] = frozenset()
    """Fields that the server owns, besides id, created and updated."""
    defaults: ClassVar[Mapping[str, Json]] = {}
    required: ClassVar[frozenset[str]] = frozenset({"name"})
    sort: ClassVar[str | None] = None
    is_sorted_by_update: ClassVar[bool] = False
    """Whether ``/filter`` offers the order ``UPDATED_DESC``."""
    counted: ClassVar[bool] = False
    unique_names: ClassVar[bool] = True
    """Whether the server keeps natural names unique; if not, keys may end in ``~<content hash>``."""
    rank: ClassVar[int] = 50
    """Breaks ties inside a reference cycle only; the smaller is made first."""

    # Reading

    async def read(self, reader: Reader) -> list[Raw]:
        """All resources of this kind."""
        return await reader.rows(f"{self.path}/filter", {"sort": self.sort} if self.sort else None)

    async def count(self, reader: Reader) -> int | None:
        """The server's own count, None where it has none."""
        return await reader.count(f"{self.path}/count") if self.counted else None

    def natural_name(self, raw: Raw, look: Look) -> str:
        """What users call this resource; the key is ``<kind>:<natural name>``."""
        return str(raw["name"])

    def is_content_named(self, raw: Raw) -> bool:
        """Whether only the content tells this resource from others (anonymous blocks)."""
        return False

    def left_out(self, raw: Raw, look: Look) -> str | None:
        """Why this resource is never exported (a key of LEFT_OUT_REASONS)."""
        return None

    def optional(self, raw: Raw, look: Look) -> str | None:
        """Why this resource is not exported unless an exported one refers to it."""
        return None

    # The portable form

    def portable(self, raw: Raw, look: Look) -> Body:
        """The fields that travel, in one canonical shape; ids are still in place."""
        return self.trim({name: value for name, value in raw.items() if name not in self._dropped})

    @property
    def _dropped(self) -> frozenset[str]:
        return self.ignored | {"id", "created", "updated"}

    def trim(self, body: Body) -> Body:
        """The body without nulls and defaults, which every server fills in by itself."""
        return {
            name: value
            for name, value in body.items()
            if name in self.required or not (value is None or self.defaults.get(name, _NOTHING) == value)
        }

    def unknown_fields(self, body: Body) -> Iterator[str]:
        """Fields that this version of xfer has never heard of."""
        return (name for name in body if name not in self.fields)

    def findings(self, raw: Raw) -> Iterable[tuple[str, Pointer, str]]:
        """What an operator should know of this resource: code, place, detail."""
        return ()

    holds_values: ClassVar[bool] = True
    """Whether bodies hold values of users, among which a secret may be; not only the shape of such."""

    def secret_places(self, raw: Raw, body: Body, look: Look) -> Mapping[Pointer, JsonType]:
        """Places in ``body`` that hold secrets, with the JSON type of each."""
        return {}

    def names(self, body: Body) -> Iterable[tuple[Pointer, Key]]:
        """References by name inside ``body``."""
        return ()

    # Making one

    def unfit(self, body: Body, *, is_cloud: bool) -> str | None:
        """Why this resource cannot be at such a destination (a reason code)."""
        return None

    deep_fields: ClassVar[frozenset[str]] = frozenset()
    """Fields that only a deep read knows."""

    def comparable(self, body: Body) -> Body:
        """The body in the one of its spellings that can be compared."""
        return body

    has_lanes: ClassVar[bool] = False

    def lane(self, body: Body) -> str:
        """Resources of one lane are made one after the other, in ``lane_order``."""
        return ""

    def lane_order(self, body: Body) -> Json:
        """What a lane is sorted by."""
        return 0

    def pending(self, body: Body, mark: str) -> Body:
        """What is made first, before everything else has arrived.

        Equal to ``body`` when the resource starts nothing by itself. Else it
        is inert and carries ``mark``, by which a later run knows that it is
        ours and unfinished.
        """
        return body

    def is_pending(self, raw: Raw, body: Body, mark: str, is_new: Callable[[str], bool]) -> bool:
        """Whether what was found at the destination is what ``pending`` made of ``body``.

        ``is_new`` tells of another resource's id whether it is pending itself.
        """
        return mark in (raw.get("tags") or ())

    async def create(self, to: Destination, body: Body) -> Made:
        """Make the resource."""
        raw = await to.post(f"{self.path}/", body)
        return Made(str(raw["id"]), raw)

    async def finish(self, to: Destination, made: Made, body: Body, first: Body) -> None:
        """Turn ``first``, which stands at the destination, into ``body``."""
        changed = [name for name in sorted({*body, *first}) if body.get(name) != first.get(name)]
        if changed:
            await self.update(to, made, body, changed)

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """Write the named fields of ``body`` over those of an existing resource."""
        await to.patch(self.path + "/{id}", {name: body.get(name) for name in names}, id=made.id)

    # Taking one back

    async def delete(self, to: Destination, made: Made) -> None:
        """Delete what an import made, and nothing that it did not."""
        await to.delete(self.path + "/{id}", id=made.id)


def without_system_labels(body: Body) -> Body:
    """The body without labels that the server sets by itself (``prefect.*``)."""
    labels = {name: value for name, value in (body.get("labels") or {}).items() if not name.startswith("prefect.")}
    return body | {"labels": labels}


def stable_order(items: Iterable[Json]) -> list[Json]:
    """Items of a set in an order that does not depend on any id inside them."""
    return sorted(items, key=lambda item: (blank_ids(text := encode(item).decode()), text))


class _Nothing:
    """Equal to no JSON value."""


_NOTHING = _Nothing()
