"""What one import knows while it runs: ids by key, rows by id, what is unfinished, and how each record ended.

It begins as the destination was read for the plan, and learns of everything that is created there. Each phase reads it
and adds to it; nothing else is shared between them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable

import msgspec

from bundle.apply.control import Control
from bundle.apply.outcomes import Outcome, Refusals, outcome_of
from bundle.apply.sender import Forbidden, Sender
from bundle.environment.describe import Environment
from bundle.errors import ServerError
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made, Raw
from bundle.model import Api, Body, Event, Key, Record, Reference
from bundle.plan.actions import Plan
from bundle.plan.capabilities import Fields
from bundle.plan.compare import needs
from bundle.plan.intended import Intended
from bundle.plan.secret_values import SecretValues
from bundle.record.pointers import exists, replace_all
from bundle.record.references import NIL_ID, put_back
from bundle.record.secrets import marker

_AT_ONCE = 16
# As many as a rate of 625 requests a minute needs; and no more than these are on their way when a limit is met.
_AT_ONCE_ON_CLOUD = 4


class Unfinished(msgspec.Struct, frozen=True):
    """A resource that exists at the destination in its first form and is still to be finished."""

    record: Intended
    made: Made
    first: Body


class State:
    """The state of one import.

    ``ids`` are those of the bundle's keys. ``new`` has the ids of what this run created, or took up unfinished,
    ``written`` the keys of updates of which the first part is done.
    """

    def __init__(
        self, plan: Plan, api: Api, before: Environment, fields: Fields, secrets: SecretValues, control: Control
    ) -> None:
        known = {action.key: action.id for action in plan.actions if action.id is not None}
        self.api = api
        self.control = control
        self.stop = control.stop or asyncio.Event()
        self.slots = asyncio.Semaphore(_AT_ONCE_ON_CLOUD if api.is_cloud else _AT_ONCE)
        self.before = before
        self.actions = {action.key: action for action in plan.actions}
        self.ids: dict[Key, str] = plan.external | known
        self.rows: dict[str, Raw] = dict(before.rows)
        self.new = {action.id for action in plan.actions if action.verb == "complete" and action.id is not None}
        self.unfinished: dict[Key, Unfinished] = {}
        self.written: set[Key] = set()
        self.outcomes: dict[Key, Outcome] = {}
        self._dropped: dict[Key, frozenset[str]] = {}
        self.refusals = Refusals(api)
        self._fields = fields
        self._secrets = secrets
        self._forbidden: Forbidden = {}
        self._keys = before.keys
        self._has_failed = False
        self._done: Counter[str] = Counter()
        self._total = Counter(action.kind for action in plan.actions)

    # What exists

    def made(self, key: Key, made: Made, *, is_answered: bool = True) -> None:
        """Note what this run created; without an answer nobody knows who wrote to it last."""
        self.control.witness.made(key, made.id, made.raw.get("updated") if is_answered else None)
        self.new.add(made.id)
        self.found(key, made)

    def found(self, key: Key, made: Made) -> None:
        """Note which resource a key means, whoever created it."""
        self.ids[key] = made.id
        self.rows[made.id] = made.raw

    def read_before(self, identifier: str) -> tuple[Record, Body]:
        """A resource as it was read for the plan: its record, and its body with ids."""
        record = self.before.records[self._keys[identifier]]
        return record, put_back(record.body, record.references, lambda each: self.before.ids[each.target])

    def leave_open(self, record: Intended, made: Made, first: Body, *, dropped: tuple[str, ...] = ()) -> bool:
        """Note a resource that is still to be finished: in its first form, or without something that is to come.

        ``dropped`` could not be sent. Returns whether it is one.
        """
        self._dropped[record.key] = frozenset(dropped)
        is_open = first != self.final(record) or self.has_deferred(record)
        if is_open:
            self.unfinished[record.key] = Unfinished(record, made, first)
        return is_open

    # What is to be sent

    def sender(self, mark: str = "") -> Sender:
        """Sends the writes of one record."""
        return Sender(self.api, self._fields, self.rows, self.new, mark, forbidden=self._forbidden)

    def final(self, record: Intended) -> Body:
        """The body as the destination is to have it: with its ids as far as they are known, and with its secrets."""
        return self.completed(record, record.body)

    def first(self, record: Intended) -> Body:
        """The body in which a resource is created before all else has arrived (``Kind.pending``)."""
        return self.completed(record, KINDS[record.kind].pending(record.body, record.mark))

    def completed(self, record: Intended, body: Body) -> Body:
        """Some form of a record's body, with ids and secrets."""
        full = put_back(body, record.references, self._id)
        values = {
            each.pointer: self._secrets.supplied.get(each.slot, marker(each))
            for each in record.secrets
            if exists(full, each.pointer)
        }
        return replace_all(full, values)

    def has_supplied(self, record: Intended) -> bool:
        """Whether a record gets a secret that somebody supplied."""
        return any(each.slot in self._secrets.supplied for each in record.secrets)

    def _id(self, reference: Reference) -> str:
        return self.ids.get(reference.target, NIL_ID)

    # How far it is

    @property
    def is_over(self) -> bool:
        """Whether nothing new is to be begun: stopped, a failure, or a destination that refuses or stays away."""
        is_aborted = self.control.aborts_at_failure and self._has_failed
        return self.stop.is_set() or self.refusals.has_ended or is_aborted

    def is_unsettled(self, key: Key) -> bool:
        """Whether another importer may have created the same, and which of the two remains is still open."""
        mine = None if key in self.outcomes else self.unfinished.get(key)
        return mine is not None and not KINDS[mine.record.kind].unique_names and mine.record.is_marked_first

    def has_deferred(self, record: Intended) -> bool:
        """Whether something it refers to is not there yet, or may still give way to another's."""
        return any(
            each.form != "name" and (each.target not in self.ids or self.is_unsettled(each.target))
            for each in record.references
        )

    def obstacle(self, record: Intended) -> Outcome | None:
        """Why the last step of a record cannot be taken."""
        action = self.actions[record.key]
        needed = needs(record, action)
        lost = {each.target for each in record.references if each.target in needed and self._is_missing(each)}
        if lost:
            return outcome_of(action, "failed", reason="waits-for", waits_for=tuple(sorted(lost)))
        return self.untried(record) if self.is_over else None

    def untried(self, record: Intended) -> Outcome:
        """The outcome of a record for which a run that is over does nothing more, whether it began it or not."""
        if record.key in self.unfinished or record.key in self.written:
            return outcome_of(self.actions[record.key], "begun", reason="begun")
        return outcome_of(self.actions[record.key], "not_tried", reason="not-tried")

    def _is_missing(self, reference: Reference) -> bool:
        return reference.form != "name" and reference.target in self.actions and reference.target not in self.ids

    # How each record ends

    async def perform(self, record: Intended, work: Awaitable[Outcome | None]) -> None:
        """Do the work of one record and note its outcome, if it has one by then."""
        try:
            outcome = await work
        except ServerError as error:
            outcome = await self.failed(record, error)
        if outcome is not None:
            self.note(outcome)

    def note(self, outcome: Outcome) -> None:
        """Note how a record ended."""
        self._done[outcome.kind] += outcome.key not in self.outcomes
        self.outcomes[outcome.key] = outcome
        self._has_failed |= outcome.state == "failed"
        self.control.on_event(Event("import", outcome.kind, self._done[outcome.kind], self._total[outcome.kind]))

    def succeeded(self, record: Intended, *, dropped: tuple[str, ...] = ()) -> Outcome:
        """The outcome of a record that is there as it is to be; ``dropped`` are fields that could not be sent."""
        before, action = self._dropped.get(record.key, frozenset()), self.actions[record.key]
        # What was foreseen to be refused, and was not after all.
        reason = "created" if action.reason == "created-partly" else None
        return outcome_of(action, "succeeded", reason=reason, dropped=(*before, *dropped))

    async def failed(self, record: Intended, error: ServerError) -> Outcome:
        """The outcome of a record whose request failed."""
        is_begun = record.key in self.unfinished or record.key in self.written
        return await self.refusals.outcome(self.actions[record.key], error, exists=is_begun)

    def left_alone(self, record: Intended) -> Outcome:
        """The outcome of a record that somebody else created meanwhile."""
        self.control.witness.made(record.key, None)
        return outcome_of(self.actions[record.key], "skipped", reason="exists-now")
