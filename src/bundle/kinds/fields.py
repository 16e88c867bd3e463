"""The table of a kind's fields, from which every list of fields is derived."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, ClassVar

import msgspec

from bundle.model import Body, Json

ACCESS_LIST = "_named_in_access_list"
"""How many actors are named in a resource's access list: no field of the API's, and gone from the portable form."""
# All but the first line is Cloud's: where a resource lives and who touched it (webhooks say account and workspace),
# and what it works out by itself.
SERVER_OWNED = frozenset({
    "id", "created", "updated",
    "account", "account_id", "workspace", "workspace_id", "created_by", "updated_by",
    "disabled", "is_push_pool", "is_mex_pool", ACCESS_LIST,
})  # fmt: skip


class Field(msgspec.Struct, frozen=True):
    """What is known of one field of a kind.

    Args:
        type: what it holds, where that is looked into; rows and bodies with anything else are refused. Null may be in
            its place, unless it is required.
        required: every row has it, and a body is never without it.
        needed: without it a body cannot even be planned.
        default: what a server makes of its absence; a body leaves it out then.
        fixed: no request changes it once the resource exists.
        on: the value by which the resource runs by itself; any other switches it off.
        unordered: a list whose order means nothing; an update writes it whole.
        together: it means nothing without the others that have this, too; an update writes all of them or none.
        sent: False where it reaches the server, but not under its own name in the creating request.
        kept: False where every server but Cloud takes it and does not keep it.
        deep: only a deep read knows it.
        travels: False where it is the server's own.
        inside: names that some release added inside it.
    """

    type: Any = Any
    required: bool = False
    needed: bool = False
    default: Json = msgspec.UNSET
    fixed: bool = False
    on: Json = msgspec.UNSET
    unordered: bool = False
    together: bool = False
    sent: bool = True
    kept: bool = True
    deep: bool = False
    travels: bool = True
    inside: frozenset[str] = frozenset()


NAME = Field(str, required=True, needed=True, fixed=True)
"""A name that the server keeps for good, by which a resource is known."""
OWN = Field(travels=False)
"""A field that the server owns, besides those that every kind has."""


class Table:
    """The fields of a kind, and what follows from them; each list is made once."""

    fields: ClassVar[Mapping[str, Field]]

    def _names(self, is_meant: Callable[[Field], bool]) -> frozenset[str]:
        return frozenset(name for name, field in self.fields.items() if is_meant(field))

    @functools.cached_property
    def travelling(self) -> frozenset[str]:
        """Fields that may be in a body."""
        return self._names(lambda field: field.travels)

    @functools.cached_property
    def ignored(self) -> frozenset[str]:
        """Fields that the server owns, besides those that every kind has."""
        return self._names(lambda field: not field.travels)

    @functools.cached_property
    def required(self) -> frozenset[str]:
        """Fields that every row has."""
        return self._names(lambda field: field.required)

    @functools.cached_property
    def defaults(self) -> Mapping[str, Json]:
        """What a server makes of the absence of a field."""
        return {name: field.default for name, field in self.fields.items() if field.default is not msgspec.UNSET}

    @functools.cached_property
    def fixed(self) -> frozenset[str]:
        """Fields that no request changes."""
        return self._names(lambda field: field.fixed)

    @functools.cached_property
    def unordered(self) -> frozenset[str]:
        """Lists whose order means nothing."""
        return self._names(lambda field: field.unordered)

    @functools.cached_property
    def together(self) -> frozenset[str]:
        """Fields of which an update writes all or none."""
        return self._names(lambda field: field.together)

    @functools.cached_property
    def unsent(self) -> frozenset[str]:
        """Fields that are not in the creating request under their own name."""
        return self._names(lambda field: not field.sent)

    @functools.cached_property
    def forgotten(self) -> frozenset[str]:
        """Fields that every server but Cloud takes and does not keep."""
        return self._names(lambda field: not field.kept)

    @functools.cached_property
    def deep_fields(self) -> frozenset[str]:
        """Fields that only a deep read knows."""
        return self._names(lambda field: field.deep)

    @functools.cached_property
    def activity(self) -> Mapping[str, Json]:
        """Fields that decide whether a resource runs by itself, each with the value that means on."""
        return {name: field.on for name, field in self.fields.items() if field.on is not msgspec.UNSET}

    def unknown_fields(self, body: Body) -> Iterator[str]:
        """Fields that this version of xfer does not know."""
        return (name for name in body if name not in self.travelling)

    def trim(self, body: Body) -> Body:
        """The body without nulls and defaults, which every server fills in by itself."""
        return {
            name: value
            for name, value in body.items()
            if name in self.required or not (value is None or self.defaults.get(name, msgspec.UNSET) == value)
        }

    def changes(self, body: Body, names: Collection[str]) -> Body:
        """The named fields as they are to be sent: one that ``body`` lacks is set to its default, or to null."""
        return {name: body.get(name, self.defaults.get(name)) for name in sorted(names)}

    def misfit_of_row(self, row: Body) -> str | None:
        """Why what a server answered does not fit the table, without any value; None where it does."""
        return _misfit(row, self._row)

    def misfit_of_body(self, body: Body) -> str | None:
        """The same of a body from a bundle, which a server may still refuse."""
        return _misfit(body, self.body_shape)

    @functools.cached_property
    def _row(self) -> type[msgspec.Struct]:
        return self._shape(self.required)

    @functools.cached_property
    def body_shape(self) -> type[msgspec.Struct]:
        """What a body from a bundle has to be at the least."""
        return self._shape(self._names(lambda field: field.needed))

    def _shape(self, needed: frozenset[str]) -> type[msgspec.Struct]:
        present = [(name, self.fields[name].type) for name in sorted(needed)]
        rest = [
            (name, field.type | None, None)
            for name, field in self.fields.items()
            if name not in needed and field.type is not Any
        ]
        return msgspec.defstruct("Shape", [*present, *rest])


def _misfit(value: Body, shape: type[msgspec.Struct]) -> str | None:
    try:
        msgspec.convert(value, shape)
    except (msgspec.ValidationError, RecursionError) as error:
        return str(error).replace("`", "")
    return None
