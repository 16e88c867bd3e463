"""What a bundle would run, and what of the destination it would read: its executable surface. Pure.

An import makes code run: steps, images, commands, webhooks. This lists it for whoever has to agree to that.

Rules:

1. What is listed is found in the bodies themselves, never taken from what a bundle says of itself.
2. Nothing is rendered, followed, fetched or resolved; no name is looked up.
3. A text is one line and whole, but for ``***`` where something looks like a secret. Of environment variables only
   the names are listed.
4. A bundle can hold any JSON. What has not the shape that Prefect knows is passed over, since a server refuses it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from bundle.kinds import KINDS
from bundle.kinds.naming import template_names
from bundle.kinds.runnable import safe
from bundle.model import Body, Key, Pointer, Record, kind_of
from bundle.record.key_set import KeySet
from bundle.record.pointers import walk

SURFACE_CODES: Mapping[str, str] = {
    "step": "a step that fetches or stores code, and where",
    "package": "a package that is installed before something runs",
    "entrypoint": "the code that a run of a deployment starts",
    "image": "a container image",
    "command": "a command or script",
    "environment": "names of environment variables that are set",
    "privilege": "access to the host that a job gets: accounts, mounts, networks, privileges",
    "url": "a server that is contacted",
    "private-url": "a server in a private network, or on the machine itself, that is contacted",
    "notification": "a block that sends messages or calls something",
    "webhook": "an address, new at the destination, that turns requests from outside into events",
    "automation-action": "what an automation does by itself, and when",
    **{
        f"destination-{name}": f"a {name} that is not in the bundle: the destination's own is used"
        for name, kind in KINDS.items()
        if kind.is_read
    },
    "environment-template": "an environment variable that is read from the worker",
    "foreign-id": "an id of nothing in the bundle; it may name something at the destination",
}

MOST = 100_000
"""Entries that are kept of one bundle; more are only counted."""

_ENVIRONMENT = re.compile(r"\{\{\s*(\$\w+)\s*\}\}")
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_SHORTEST = 6
_ID_PLACE = re.compile(r"(_id|\$ref)$|/(match|match_related)/")
_TELLING = (b"{{", b"__prefect_kind", b"block_document_slug", b"block_type_slug", b"_block_name")


class Surface(msgspec.Struct, frozen=True):
    """One place by which something is run or read; ``what`` is one of ``SURFACE_CODES``."""

    key: Key
    pointer: Pointer
    what: str
    text: str


class Surfaces(msgspec.Struct, frozen=True):
    """All of them: how many of each code, and each one, up to ``MOST``."""

    counts: dict[str, int] = {}
    entries: tuple[Surface, ...] = ()


def surfaces(records: Iterable[Record], brought: Iterable[Key] | None = None) -> Surfaces:
    """The surface of some records.

    Args:
        records: in the order of the bundle; they are taken one by one, and not kept.
        brought: keys of the blocks and variables whose values are the bundle's; None for those of the records.
    """
    found = _Found(brought or ())
    for record in records:
        if brought is None:
            found.bring(record.key)
        found.add(record)
    return found.end()


class _Found:
    """What was found so far, in bounded memory."""

    def __init__(self, brought: Iterable[Key]) -> None:
        self._brought = KeySet()
        self._counts: Counter[str] = Counter()
        self._entries: list[Surface] = []
        # What was not there yet when it was named; most of what is named comes before.
        self._open: list[tuple[int, Surface]] = []
        for key in brought:
            self.bring(key)

    def bring(self, key: Key) -> None:
        if _is_read(key):
            self._brought.add(KeySet.number(key))

    def add(self, record: Record) -> None:
        found = KINDS[record.kind].runs(record) if record.kind in KINDS else None
        if found is None:
            # Nothing is run by it, and no template in it is ever resolved.
            return
        for what, place, text in found:
            self._keep(Surface(record.key, place, what, safe(text)))
        for target, each in _read_by(record):
            if each.what == "foreign-id" or len(self._open) >= MOST:
                self._keep(each)
            elif KeySet.number(target) not in self._brought:
                self._open.append((KeySet.number(target), each))

    def _keep(self, each: Surface) -> None:
        self._counts[each.what] += 1
        if len(self._entries) < MOST:
            self._entries.append(each)

    def end(self) -> Surfaces:
        for number, each in self._open:
            if number not in self._brought:
                self._keep(each)
        order = {code: place for place, code in enumerate(SURFACE_CODES)}
        counts = {code: self._counts[code] for code in SURFACE_CODES if self._counts[code]}
        return Surfaces(counts, tuple(sorted(self._entries, key=lambda each: order[each.what])))


# What is read of the destination


def _is_read(key: Key) -> bool:
    kind = KINDS.get(kind_of(key))
    return kind is not None and kind.is_read


def _read_by(record: Record) -> Iterator[tuple[Key, Surface]]:
    """Blocks and variables that are named, each with what is to be said if it is not in the bundle; and the like."""
    referred = {(each.pointer, each.target) for each in record.references}
    body = msgspec.json.encode(record.body)
    is_telling = any(word in body for word in _TELLING)
    named = {*template_names(record.body), *_names(record)} if is_telling else set()
    for place, target in sorted(referred | named):
        if _is_read(target):
            yield target, Surface(record.key, place, f"destination-{kind_of(target)}", safe(target))
    if is_telling or _ID.search(body):
        yield from (("", Surface(record.key, *each)) for each in _templates_and_ids(record.body))


def _names(record: Record) -> Iterable[tuple[Pointer, Key]]:
    try:
        return tuple(KINDS[record.kind].names(record.body))
    except (AttributeError, LookupError, TypeError, ValueError):
        # Not what a body looks like; a server refuses it.
        return ()


def _templates_and_ids(body: Body) -> Iterator[tuple[Pointer, str, str]]:
    for pointer, part in walk(body):
        if isinstance(part, str) and len(part) > _SHORTEST:
            for name in _ENVIRONMENT.findall(part):
                yield pointer, "environment-template", safe(name)
            if _ID_PLACE.search(pointer):
                yield from (
                    (pointer, "foreign-id", each.decode()) for each in _ID.findall(part.encode(errors="replace"))
                )
