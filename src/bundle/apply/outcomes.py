"""How each record of an import ends, and what a refusal means: for its record, for its kind, or for the whole run."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from bundle.errors import AccessDenied, PlanLimit, RequestRejected, ServerError, Unreachable
from bundle.model import Api, Key
from bundle.plan.actions import Action

State = Literal["succeeded", "skipped", "failed", "blocked", "begun", "not_tried"]
"""``begun``: made or changed in part, and to be finished by the next run; ``not_tried``: the run stopped first."""

_UNAUTHORIZED = 401
REFUSED = frozenset({400, 404, 422})
"""Statuses by which a server refuses what a request says, not who sends it."""


class Outcome(msgspec.Struct, frozen=True):
    """How one record ended. ``detail`` explains a failure; ``dropped`` names fields that could not be sent."""

    key: Key
    kind: str
    state: State
    reason: str
    detail: str = ""
    waits_for: tuple[Key, ...] = ()
    missing_secrets: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()


def outcome_of(
    action: Action,
    state: State,
    *,
    reason: str | None = None,
    detail: str | None = None,
    waits_for: tuple[Key, ...] | None = None,
    dropped: tuple[str, ...] = (),
) -> Outcome:
    """The outcome of an action, with what the plan says of it unless something else is given."""
    return Outcome(
        action.key,
        action.kind,
        state,
        reason or action.reason,
        action.detail if detail is None and reason is None else detail or "",
        action.waits_for if waits_for is None else waits_for,
        action.missing_secrets,
        tuple(sorted({*action.dropped, *dropped})),
    )


def reason_of(error: ServerError) -> str:
    """The reason code of a write that failed."""
    if isinstance(error, AccessDenied):
        return "denied"
    return "unreachable" if isinstance(error, Unreachable) else "rejected"


def words_of(error: ServerError) -> str:
    """What an error says, and what the server named of it."""
    explanation = error.explanation if isinstance(error, RequestRejected) else ""
    return f"{error.message}: {explanation}" if explanation else error.message


def refuses_credentials(error: ServerError) -> bool:
    """Whether nothing more can come of these credentials; a 403 concerns one resource."""
    return isinstance(error, RequestRejected) and error.status == _UNAUTHORIZED


class Refusals:
    """What a destination has refused so far: all that comes after may depend on it.

    ``has_ended``: the credentials are refused, or the destination stays away; nothing more is to be tried.
    """

    def __init__(self, api: Api) -> None:
        self._api = api
        self._full: dict[str, str] = {}
        self._probing = asyncio.Lock()
        self.has_ended = False

    def full(self, kind: str) -> str | None:
        """Cloud's words for that its plan allows no more of a kind; None as long as it has not said so."""
        return self._full.get(kind)

    async def outcome(self, action: Action, error: ServerError, *, exists: bool) -> Outcome:
        """How a record ends whose request failed; ``exists``: the resource was created before that."""
        if isinstance(error, PlanLimit):
            if error.is_full:
                self._full[action.kind] = error.detail
            return outcome_of(action, "failed" if exists else "skipped", reason="tier-limit", detail=error.detail)
        self.has_ended |= refuses_credentials(error)
        if isinstance(error, Unreachable):
            await self._probe()
        is_begun = exists and isinstance(error, Unreachable)
        return outcome_of(action, "begun" if is_begun else "failed", reason=reason_of(error), detail=words_of(error))

    async def _probe(self) -> None:
        """End the run unless the destination still answers: one resource that it chokes on stops no other.

        Any answer will do; a Cloud workspace has no ``/health``.
        """
        async with self._probing:
            if not self.has_ended:
                try:
                    await self._api.get("/health")
                except RequestRejected as error:
                    self.has_ended = refuses_credentials(error)
                except Unreachable:
                    self.has_ended = True
