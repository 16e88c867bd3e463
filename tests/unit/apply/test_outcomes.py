"""How each record ends, and what a refusal means for the rest."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bundle.apply.outcomes import Outcome, Refusals, outcome_of, reason_of, refuses_credentials
from bundle.errors import AccessDenied, PlanLimit, RequestRejected, ServerError, Unreachable
from bundle.plan.actions import Action
from support.listening import Listening

ACTION = Action(
    "variable:v", "variable", "create", "created", waits_for=("flow:f",), missing_secrets=("slot",), dropped=("/b",)
)


def rejected(status: int) -> RequestRejected:
    kind = AccessDenied if status in {401, 403} else RequestRejected
    return kind(f"answered {status}", status=status, hint="")


AWAY = Unreachable("no answer", hint="")
FULL = PlanLimit("full", status=403, detail="no more of these", hint="", is_full=True)
NOT_ALLOWED = PlanLimit("no", status=403, detail="not in your plan", hint="", is_full=False)


def test_an_outcome_says_what_the_plan_said() -> None:
    """What is not given comes from the action; places that were dropped are those of both."""
    assert outcome_of(ACTION, "succeeded", dropped=("/a", "/b")) == Outcome(
        "variable:v", "variable", "succeeded", "created", "", ("flow:f",), ("slot",), ("/a", "/b")
    )
    assert outcome_of(ACTION, "failed", reason="rejected", detail="no", waits_for=()) == Outcome(
        "variable:v", "variable", "failed", "rejected", "no", (), ("slot",), ("/b",)
    )


@pytest.mark.parametrize(
    ("error", "reason", "is_refusal"),
    [
        (rejected(401), "denied", True),
        (rejected(403), "denied", False),
        (rejected(422), "rejected", False),
        (rejected(500), "rejected", False),
        (AWAY, "unreachable", False),
    ],
    ids=["401", "403", "422", "500", "away"],
)
def test_a_failed_write_has_a_reason(error: ServerError, reason: str, *, is_refusal: bool) -> None:
    """Only a 401 says that these credentials are of no use any more."""
    assert (reason_of(error), refuses_credentials(error)) == (reason, is_refusal)


def ended(error: ServerError, probe: Any = "ok", *, exists: bool = False) -> tuple[Outcome, Refusals, int]:
    """How the record ends, what is known then, and how often the destination was asked whether it is there."""

    def answer(*_: object) -> Any:
        if isinstance(probe, Exception):
            raise probe
        return probe

    api = Listening(answer)
    refusals = Refusals(api)
    return asyncio.run(refusals.outcome(ACTION, error, exists=exists)), refusals, len(api.asked)


@pytest.mark.parametrize(
    ("error", "probe", "has_ended", "asked"),
    [
        (rejected(401), "ok", True, 0),
        (rejected(403), "ok", False, 0),
        (rejected(422), "ok", False, 0),
        (AWAY, "ok", False, 1),
        (AWAY, rejected(404), False, 1),
        (AWAY, rejected(401), True, 1),
        (AWAY, AWAY, True, 1),
    ],
    ids=["401", "403", "422", "there", "there without /health", "there, but 401", "away"],
)
def test_what_ends_a_run(error: ServerError, probe: Any, *, has_ended: bool, asked: int) -> None:
    """A 401, and a destination that does not answer a probe either; what one resource meets stops no other."""
    outcome, refusals, requests = ended(error, probe)

    assert (outcome.state, outcome.reason, outcome.detail) == ("failed", reason_of(error), error.message)
    assert (refusals.has_ended, requests) == (has_ended, asked)


def test_a_full_plan_is_remembered_for_its_kind() -> None:
    """What Cloud says of its plan is the detail; only "no more of these" holds for the others of the kind."""
    outcome, refusals, _ = ended(FULL)
    assert (outcome.state, outcome.reason, outcome.detail) == ("skipped", "tier-limit", "no more of these")
    assert (refusals.full("variable"), refusals.full("flow"), refusals.has_ended) == ("no more of these", None, False)

    outcome, refusals, _ = ended(NOT_ALLOWED)
    assert (outcome.reason, refusals.full("variable")) == ("tier-limit", None)


def test_what_exists_already_has_failed() -> None:
    """A resource that was created and cannot be finished is not skipped."""
    assert ended(FULL, exists=True)[0].state == "failed"
