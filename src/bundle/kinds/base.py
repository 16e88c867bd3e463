"""What a kind of resource says of itself, and the defaults it may keep: every hook, on one page.

A kind knows where its resources are listed, what they are called, which of their fields travel, and how one is created.
It never knows httpx, files or the command line. A module beside this one that defines ``KIND`` is a kind; nothing else
has to be changed. ``variables.py`` is the smallest one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import ClassVar

from bundle.kinds.fields import SERVER_OWNED, Field, Table
from bundle.kinds.naming import UNSAID
from bundle.kinds.protocols import Conformity, Destination, Look, Made, Offer, Raw, Reader, made_of
from bundle.kinds.runnable import Run
from bundle.model import Body, Json, JsonType, Key, Pointer, Record
from bundle.record.pointers import split
from bundle.server.tiers import Tier


class Kind(Table):
    """One kind of resource. Subclasses give at least ``name``, ``path`` and ``fields``."""

    name: ClassVar[str]
    path: ClassVar[str]
    fields: ClassVar[Mapping[str, Field]]

    # What it is called
    name_field: ClassVar[str | None] = "name"
    """The field with the last part of the natural name; None where a name cannot be chosen freely."""
    name_form: ClassVar[str] = r"[^/%&<>]+"
    name_words: ClassVar[str] = "it may not have / % & < >"
    name_rule: ClassVar[str] = ""
    """What a server takes as a name: an expression, the same in words, and what only some versions take."""
    parent_kind: ClassVar[str | None] = None
    """The kind whose natural name comes first in this one's, before a slash."""
    parent_field: ClassVar[str | None] = None
    """The field with the id of that resource."""
    unique_names: ClassVar[bool] = True
    """Whether the server keeps natural names unique; if not, keys may end in ``~<content hash>``."""

    # How it is listed
    route_is_required: ClassVar[bool] = False
    """Whether every server has its list, so that a missing one means a wrong URL; else it is an older server."""
    sort: ClassVar[str | None] = None
    is_sorted_by_update: ClassVar[bool] = False
    counted: ClassVar[bool] = False
    """Whether ``/filter`` offers the order ``UPDATED_DESC``, and whether there is a ``/count``."""
    is_few: ClassVar[bool] = False
    """Whether an overview lists it whole, where it would otherwise count."""
    listed_with: ClassVar[str | None] = None
    """Another kind in whose list there are some of these, too."""
    cloud_only: ClassVar[bool] = False
    """Whether only Prefect Cloud has this kind; other servers are not asked for it."""
    access_route: ClassVar[str | None] = None
    """Where Cloud answers its access list, with ``{id}`` or ``{name}``; None where a resource has none of its own."""

    # What it is in an import
    rank: ClassVar[int] = 50
    """Breaks ties inside a reference cycle only; the smaller is created first."""
    has_lanes: ClassVar[bool] = False
    """Whether some are created one after the other (``lane``)."""
    writes_each: ClassVar[int] = 1
    """How many writes one takes; two for what must not start before all has arrived."""
    holds_values: ClassVar[bool] = True
    """Whether bodies hold values of users, among which a secret may be; not only the shape of such."""
    is_part: ClassVar[bool] = False
    """Whether it is nothing without its parent: where that cannot be, it is skipped like that."""
    newest_counts: ClassVar[bool] = False
    """Whether Prefect takes the newest one of a parent, so that they are created in the order of the source."""
    is_read: ClassVar[bool] = False
    """Whether what runs reads its value by name, so that a resource of the destination may be read in its place."""
    owns_value: ClassVar[bool] = False
    """Whether equal content makes one of the destination as good as the bundle's: it hides nothing."""
    run_filter: ClassVar[str | None] = None
    """The word of ``POST /flow_runs/filter`` for runs of such resources; None where nothing runs as one."""

    # Reading

    async def read(self, reader: Reader) -> list[Raw]:
        """All resources of this kind."""
        return await reader.rows(f"{self.path}/filter", {"sort": self.sort} if self.sort else None)

    async def count(self, reader: Reader) -> int | None:
        """The server's own count, None where it has none."""
        return await reader.count(f"{self.path}/count") if self.counted else None

    def revealing(self, identifiers: Collection[str]) -> tuple[str, Body] | None:
        """The listing that shows some resources with their secrets: path and body; None where there is none."""
        return None

    def natural_name(self, raw: Raw, look: Look) -> str:
        """What users call this resource; the key is ``<kind>:<natural name>``."""
        return str(raw["name"])

    def bound_name(self, body: Body, parent: str) -> str:
        """The natural name of a record with this body, which has ``UNSAID`` for what it does not say.

        ``body`` has natural names in place of ids, ``parent`` is that of what it refers to in ``parent_field``.
        """
        name = body.get(self.name_field or "", UNSAID)
        return f"{parent}/{name}" if self.parent_kind else str(name)

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
        dropped = self.ignored | SERVER_OWNED
        return self.trim({name: value for name, value in raw.items() if name not in dropped})

    def findings(self, raw: Raw) -> Iterable[tuple[str, Pointer, str]]:
        """What an operator should know of this resource: code, place, detail."""
        return ()

    def secret_places(self, raw: Raw, body: Body, look: Look) -> Mapping[Pointer, JsonType]:
        """Places in ``body`` that hold secrets, with the JSON type of each."""
        return {}

    def names(self, body: Body) -> Iterable[tuple[Pointer, Key]]:
        """References by name inside ``body``."""
        return ()

    def comparable(self, body: Body) -> Body:
        """The body in the one of its spellings that can be compared."""
        return body

    def runs(self, record: Record) -> Iterable[Run] | None:
        """What it runs, calls or listens at, by place; None where nothing in it is ever run or rendered."""
        return None

    def by_hand(self, body: Body) -> Iterable[tuple[str, str]]:
        """What it needs of a person where it is new: codes of ``plan.next_steps``, each with a detail."""
        return ()

    # Whether a destination can hold it

    def conformities(self, record: Record) -> Iterable[Conformity]:
        """The values in it that a server checks by schemas."""
        return ()

    def unfit(self, body: Body, *, is_cloud: bool) -> str | None:
        """Why this resource cannot be at such a destination (a reason code)."""
        return "not-offered" if self.cloud_only and not is_cloud else None

    def beyond(self, body: Body, tier: Tier) -> str | None:
        """Why it cannot be created in a tier of Prefect Cloud at all, in words."""
        return None

    def most(self, tier: Tier) -> int | None:
        """How many of it a tier allows; None for any number."""
        return None

    def too_new(self, body: Body, version: tuple[int, ...]) -> Iterable[Pointer]:
        """Places whose value servers of a version refuse without saying so in their OpenAPI document."""
        return ()

    def route(self, to: Offer) -> tuple[str, str]:
        """The request that creates one, as the API documents it: method and path."""
        return "POST", f"{self.path}/"

    # Creating one

    def lane(self, body: Body) -> str:
        """Resources of one lane are created one after the other, in ``lane_order``."""
        return ""

    def lane_order(self, body: Body) -> Json:
        """What a lane is sorted by."""
        return 0

    def pending(self, body: Body, mark: str) -> Body:
        """What is created first, before everything else has arrived.

        Equal to ``body`` where it starts nothing by itself; else inert, with ``mark``, which a later run knows as ours.
        """
        return body

    def marked(self, body: Body, mark: str) -> Body:
        """The same for what will be changed once more in any case."""
        return self.pending(body, mark)

    def eased(self, body: Body, refused: Collection[str]) -> Iterator[Body]:
        """What is left where a server refuses fields (those it named, if it did), the fullest first; all is off."""
        left = {name: value for name, value in body.items() if name not in set(refused) - self.required}
        yield from [self.switched(left, dict.fromkeys(self.switches(left), False))] if left != body else ()

    def is_pending(self, raw: Raw, body: Body, mark: str, is_new: Callable[[str], bool]) -> bool:
        """Whether what was found at the destination is what ``pending`` made of ``body``.

        ``is_new`` tells of another resource's id whether it is pending itself.
        """
        return mark in (raw.get("tags") or ())

    def continues(self, body: Body, found: Body) -> bool:
        """Whether what an earlier run began under this name is what ``body`` describes."""
        return True

    def made_up_name(self, body: Body, mark: str) -> str | None:
        """The name under which one without a name is created, lest it is created twice; None where it has one."""
        return None

    async def create(self, to: Destination, body: Body) -> Made:
        """Create the resource."""
        return made_of(await to.post(f"{self.path}/", body))

    async def finish(self, to: Destination, made: Made, body: Body, first: Body) -> None:
        """Turn ``first``, which is at the destination, into ``body``."""
        changed = [name for name in sorted({*body, *first}) if body.get(name) != first.get(name)]
        if changed:
            await self.update(to, made, body, changed)

    # Changing one

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        """Whether any request can change what ``raw`` has at a place; ``is_removal``: nothing is to be there."""
        name = split(place)[0]
        return name not in self.fixed and at.takes("PATCH", self.path + "/{id}", name)

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

    # What runs by itself

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
        """The schedules by which such a resource starts runs."""
        return ()

    # Taking one back

    async def delete(self, to: Destination, made: Made) -> None:
        """Delete what an import created, and nothing that it did not."""
        await to.delete(self.path + "/{id}", id=made.id)

    def goes_with(self, body: Body) -> Pointer | None:
        """Where it refers to the resource that takes it along when that is deleted, though nobody created it."""
        return None

    # Counting and costs

    def is_built_in(self, name: str) -> bool:
        """Whether every Prefect makes the one with this natural name by itself."""
        return False

    def is_own(self, raw: Raw) -> bool:
        """Whether a row is something of the environment's own, and travels as such."""
        return True

    def variant(self, raw: Raw) -> Body | None:
        """The part of a row that decides whether such a one can be elsewhere; None where nothing does."""
        return None

    def listing_requests(self, rows: Mapping[str, int], page: int) -> int:
        """The requests that its list takes, with ``rows`` of each kind: full pages, a last one, and the empty page."""
        return -(-rows[self.name] // page) + 1 if rows[self.name] or not self.cloud_only else 0
