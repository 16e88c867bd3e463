"""What a kind of resource says of itself, and the defaults it may keep.

A kind knows where its resources are listed, what they are called, which of
their fields travel, and how one is made. It never knows httpx, files or the
command line. A module beside this one that defines ``KIND`` is a kind; nothing
else has to be told.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

import msgspec

from bundle.model import Body, Json, JsonType, Key, Pointer
from bundle.record.canonical import encode
from bundle.record.pointers import split
from bundle.record.references import blank_ids

Raw = Body

# The second line is Cloud's: where a resource lives and who touched it. Webhooks say account and workspace.
SERVER_OWNED = frozenset({
    "id", "created", "updated",
    "account", "account_id", "workspace", "workspace_id", "created_by", "updated_by",
})  # fmt: skip


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
    """What stands at the destination: the id, and the server's view where there is one.

    ``hidden`` are the places of live secrets that the server does not show.
    """

    id: str
    raw: Raw = {}
    hidden: tuple[Pointer, ...] = ()


class Offer(Protocol):
    """What a destination's version offers, and what it holds."""

    @property
    def version(self) -> tuple[int, ...]:
        """The numbers of its version; none where it does not tell."""
        ...

    def takes(self, method: str, template: str, name: str) -> bool:
        """Whether a route takes a field; True where that is not known."""
        ...

    @property
    def keeps_tag_limits_as_global(self) -> bool: ...

    def raw(self, identifier: str) -> Raw | None:
        """What the destination holds under an id."""
        ...


class Destination(Protocol):
    """Where resources are made: sends writes, leaving out fields that the server does not take.

    ``template`` is the route as the API documents it, ``/work_pools/{name}``;
    the segments are quoted and put in.
    """

    @property
    def is_cloud(self) -> bool: ...

    async def post(self, template: str, body: Json, *, repeatable: bool = True, **segments: str) -> Raw: ...

    async def get(self, template: str, **segments: str) -> Json:
        """What the destination answers now."""
        ...

    async def put(self, template: str, body: Body, **segments: str) -> Raw: ...

    async def patch(self, template: str, body: Body, **segments: str) -> None: ...

    async def delete(self, template: str, **segments: str) -> None:
        """Delete; a resource that is not there any more is no error."""
        ...

    @property
    def keeps_tag_limits_as_global(self) -> bool: ...

    @property
    def mark(self) -> str:
        """The mark of the record that is being made (``Kind.pending``)."""
        ...

    @property
    def version(self) -> tuple[int, ...]:
        """Of the server, empty where it does not tell."""
        ...

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
    """Fields that the server owns, besides those that every kind has."""
    defaults: ClassVar[Mapping[str, Json]] = {}
    required: ClassVar[frozenset[str]] = frozenset({"name"})
    types: ClassVar[Mapping[str, Any]] = {}
    """What stands in those fields that are looked into; null may stand there too, unless the field is required."""
    indispensable: ClassVar[frozenset[str]] = frozenset()
    """Those required fields without which a body cannot even be planned."""
    sort: ClassVar[str | None] = None
    is_sorted_by_update: ClassVar[bool] = False
    """Whether ``/filter`` offers the order ``UPDATED_DESC``."""
    forgotten: ClassVar[frozenset[str]] = frozenset()
    """Fields that every server but Cloud takes and does not keep."""
    counted: ClassVar[bool] = False
    cloud_only: ClassVar[bool] = False
    """Whether only Prefect Cloud has this kind; other servers are not asked for it."""
    name_field: ClassVar[str | None] = "name"
    """The field with the last part of the natural name; None where a name cannot be chosen freely."""
    name_form: ClassVar[str] = r"[^/%&<>]+"
    """What a server takes as a name, as a regular expression."""
    name_words: ClassVar[str] = "it may not have / % & < >"
    """The same in words."""
    parent_kind: ClassVar[str | None] = None
    """The kind whose natural name comes first in this one's, before a slash."""
    unique_names: ClassVar[bool] = True
    """Whether the server keeps natural names unique; if not, keys may end in ``~<content hash>``."""
    rank: ClassVar[int] = 50
    """Breaks ties inside a reference cycle only; the smaller is made first."""

    # Data from outside

    def odd_row(self, raw: Raw) -> str | None:
        """Why what a server answered is no resource of this kind, without any value; None where it may be one."""
        return _misfit(raw, self._row)

    def odd_body(self, body: Body) -> str | None:
        """The same of a body from a bundle, which a server may still refuse."""
        return _misfit(body, self._body)

    @functools.cached_property
    def _row(self) -> type[msgspec.Struct]:
        return self._with(self.required)

    @functools.cached_property
    def _body(self) -> type[msgspec.Struct]:
        return self._with(self.indispensable)

    def _with(self, needed: frozenset[str]) -> type[msgspec.Struct]:
        present = [(name, self.types.get(name, Any)) for name in sorted(needed)]
        rest = [(name, kind | None, None) for name, kind in self.types.items() if name not in needed]
        return msgspec.defstruct(self.name, [*present, *rest])

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

    def comes_along(self, body: Body) -> bool:
        """Whether it goes with whatever refers to it, even where dependencies are not wanted."""
        return False

    # The portable form

    def portable(self, raw: Raw, look: Look) -> Body:
        """The fields that travel, in one canonical shape; ids are still in place."""
        return self.trim({name: value for name, value in raw.items() if name not in self._dropped})

    @property
    def _dropped(self) -> frozenset[str]:
        return self.ignored | SERVER_OWNED

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
        return "not-offered" if self.cloud_only and not is_cloud else None

    unsent: ClassVar[frozenset[str]] = frozenset()
    """Fields that reach the server, but not under their own name in the creating request."""

    def route(self, to: Offer) -> tuple[str, str]:
        """The request that makes one, as the API documents it: method and path."""
        return "POST", f"{self.path}/"

    def too_new(self, body: Body, version: tuple[int, ...]) -> Iterable[Pointer]:
        """Places whose value servers of a version refuse without saying so in their OpenAPI document."""
        return ()

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

    def continues(self, body: Body, found: Body) -> bool:
        """Whether what an earlier run began under this name is what ``body`` describes."""
        return True

    def made_up_name(self, body: Body, mark: str) -> str | None:
        """The name under which a resource without one is made, lest it is made twice; None where it has one."""
        return None

    async def create(self, to: Destination, body: Body) -> Made:
        """Make the resource."""
        raw = await to.post(f"{self.path}/", body)
        return Made(str(raw["id"]), raw)

    async def finish(self, to: Destination, made: Made, body: Body, first: Body) -> None:
        """Turn ``first``, which stands at the destination, into ``body``."""
        changed = [name for name in sorted({*body, *first}) if body.get(name) != first.get(name)]
        if changed:
            await self.update(to, made, body, changed)

    # Changing one that is there

    fixed: ClassVar[frozenset[str]] = frozenset({"name"})
    """Fields that no request changes once the resource stands."""

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        """Whether any request can change what ``raw`` has at a place; ``is_removal``: nothing is to stand there."""
        name = split(place)[0]
        return name not in self.fixed and at.takes("PATCH", self.path + "/{id}", name)

    unordered: ClassVar[frozenset[str]] = frozenset()
    """Lists whose order means nothing; an update writes them whole."""

    together: ClassVar[frozenset[str]] = frozenset()
    """Fields of which none means anything without the others; an update writes all of them or none."""

    def wanted(self, body: Body, found: Body, gone: Body | None = None) -> Body:
        """``body``, and with it what only the destination's ``found`` has and keeps.

        Plan, import and verify compare with this, so what is kept is no difference; an update writes it.
        What ``gone`` holds besides ``body`` is not kept.
        """
        return body

    def late(self, body: Body, names: Collection[str], raw: Raw) -> Collection[str]:
        """Those of ``names`` that an update of ``raw`` to ``body`` writes at the very end: what switches it on."""
        switches = self.switches(body)
        return {name for name in names if switches.get(name)}

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """Write the named fields of ``body`` over those of an existing resource."""
        await to.patch(self.path + "/{id}", self.changes(body, names), id=made.id)

    def changes(self, body: Body, names: Collection[str]) -> Body:
        """The named fields as they are to be sent: one that ``body`` lacks is set to its default, or to null."""
        return {name: body.get(name, self.defaults.get(name)) for name in sorted(names)}

    # What runs by itself

    activity: ClassVar[Mapping[str, bool]] = {}
    """Fields that decide whether it runs by itself, each with the value that means on."""

    def switches(self, body: Body) -> Mapping[str, bool]:
        """Every switch of a resource by a name of its own, and whether it is on."""
        return {name: body.get(name, self.defaults[name]) == on for name, on in self.activity.items()}

    def switched(self, body: Body, switches: Mapping[str, bool]) -> Body:
        """The body with these switches set; nothing else changes, and no pointer into it moves."""
        values = {name: switches[name] == on for name, on in self.activity.items() if name in switches}
        kept = {name: value for name, value in body.items() if name not in values}
        return kept | {name: value for name, value in values.items() if value != self.defaults[name]}

    async def switch(self, to: Destination, made: Made, switches: Mapping[str, bool]) -> None:
        """Set these switches of an existing resource, and nothing else."""
        values = {name: switches[name] == on for name, on in self.activity.items() if name in switches}
        await to.patch(self.path + "/{id}", values, id=made.id)

    def firing(self, body: Body) -> Iterable[Body]:
        """The schedules by which such a resource starts runs, as it stands."""
        return ()

    # Taking one back

    async def delete(self, to: Destination, made: Made) -> None:
        """Delete what an import made, and nothing that it did not."""
        await to.delete(self.path + "/{id}", id=made.id)


def _misfit(value: Body, shape: type[msgspec.Struct]) -> str | None:
    try:
        msgspec.convert(value, shape)
    except (msgspec.ValidationError, RecursionError) as error:
        return str(error).replace("`", "")
    return None


SYSTEM_LABELS = "prefect."


def without_system_labels(body: Body) -> Body:
    """The body without labels that the server sets by itself (``prefect.*``)."""
    labels = {name: value for name, value in (body.get("labels") or {}).items() if not name.startswith(SYSTEM_LABELS)}
    return body | {"labels": labels}


def stable_place(item: Body, *, last: str) -> tuple[str, str, bytes]:
    """What to sort the items of a set by: no id in them counts, and the member ``last`` only between equals."""
    text = encode({name: value for name, value in item.items() if name != last}).decode()
    return blank_ids(text), text, encode(item.get(last))


class _Nothing:
    """Equal to no JSON value."""


_NOTHING = _Nothing()
