"""Secret values: those that were supplied, and those that existing resources really hold. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from bundle.environment.describe import Environment
from bundle.model import Body, Json, Key
from bundle.plan.intended import Intended
from bundle.record.secrets import still_marked


class SecretValues(msgspec.Struct, frozen=True):
    """Supplied secret values by slot, and real bodies by id of existing resources that hold secrets."""

    supplied: Mapping[str, Json] = {}
    revealed: Mapping[str, Body] = {}

    def marked(self, record: Intended, identifier: str) -> tuple[str, ...]:
        """The slots in which an existing resource still holds our placeholder, as far as that was revealed."""
        body = self.revealed.get(identifier)
        return () if body is None else tuple(each.slot for each in record.secrets if still_marked(body, each))

    def lacking(self, record: Intended) -> tuple[str, ...]:
        """The slots of a record that nobody supplied."""
        return tuple(each.slot for each in record.secrets if each.slot not in self.supplied)


NOTHING_SUPPLIED = SecretValues()


def to_reveal(records: Iterable[Intended], pairs: Mapping[Key, Key], destination: Environment) -> list[Key]:
    """The destination's keys of what has secrets on either side: to tell our placeholders from live ones."""
    found = {pairs[each.key]: each for each in records if each.key in pairs}
    return [key for key, each in found.items() if each.secrets or destination.records[key].secrets]
