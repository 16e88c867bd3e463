"""What stands at a destination while an import runs: ids by key, rows by id, and what the run made itself."""

from __future__ import annotations

from bundle.apply.sender import Sender
from bundle.environment.describe import Environment
from bundle.kinds.base import Made, Raw
from bundle.model import Api, Body, Key, Record, Reference
from bundle.plan.actions import Plan, Secrets
from bundle.plan.capabilities import Fields
from bundle.record.pointers import replace_all, stands
from bundle.record.references import NIL_ID, put_back
from bundle.record.secrets import marker


class Standing:
    """Begins as the destination was read for the plan, and is told of everything that comes to stand there.

    ``ids`` are those of the bundle's keys. ``new`` has the ids of what this run made, or took up unfinished.
    """

    def __init__(self, plan: Plan, api: Api, before: Environment, fields: Fields, secrets: Secrets) -> None:
        known = {action.key: action.id for action in plan.actions if action.id is not None}
        self._api = api
        self._fields = fields
        self._secrets = secrets
        self._keys = before.keys
        self.before = before
        self.ids: dict[Key, str] = plan.external | known
        self.rows: dict[str, Raw] = dict(before.rows)
        self.new = {action.id for action in plan.actions if action.verb == "complete" and action.id is not None}

    def made(self, key: Key, made: Made) -> None:
        """Note what this run made."""
        self.new.add(made.id)
        self.found(key, made)

    def found(self, key: Key, made: Made) -> None:
        """Note what stands for a key, whoever made it."""
        self.ids[key] = made.id
        self.rows[made.id] = made.raw

    def sender(self, mark: str = "") -> Sender:
        """Sends the writes of one record."""
        return Sender(self._api, self._fields, self.rows, self.new, mark)

    def read_before(self, identifier: str) -> tuple[Record, Body]:
        """A resource as it was read for the plan: its record, and its body with ids."""
        record = self.before.records[self._keys[identifier]]
        return record, put_back(record.body, record.references, lambda each: self.before.ids[each.target])

    def final(self, record: Record, body: Body) -> Body:
        """The body as the destination is to have it: with its ids as far as they are known, and with its secrets."""
        full = put_back(body, record.references, self._id)
        values = {
            each.pointer: self._secrets.supplied.get(each.slot, marker(each))
            for each in record.secrets
            if stands(full, each.pointer)
        }
        return replace_all(full, values)

    def _id(self, reference: Reference) -> str:
        return self.ids.get(reference.target, NIL_ID)
