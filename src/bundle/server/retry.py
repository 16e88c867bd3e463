"""The retry policy: whether a request is sent again, and when. Pure.

Waiting is our own few lines (docs/decisions/0013): libraries for backoff decide by exception, and here
it depends on the request, the status, the body and two headers whether and how long to wait.
"""

from __future__ import annotations

import email.utils
import math
from collections.abc import Collection, Mapping
from http import HTTPStatus
from typing import Self

import msgspec

from bundle.server.responses import NO_RESPONSE, Call, Response
from bundle.server.target import Target

_LONGEST_BUDGET_SECONDS = 1800.0
_EARLY_ATTEMPTS = 8  # about six seconds; the Terraform provider waits five
# Prefect on SQLite can stand still for a minute, as long as a request may take (docs/decisions/0012): without this
# allowance there would be no second attempt.
_STALLS_EXCUSED = 2
RETRIED = frozenset({408, 429, 500, 502, 503, 504})


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long to keep trying.

    ``budget_seconds``: after this long no retry of a request begins; waits
    that a 429 asked for are not charged, since they show that the server is alive, nor
    are the first two attempts without a response in time.
    ``deadline_seconds`` bounds one attempt by our own clock. ``attempts``
    bounds the attempts that a server answered or cut off; 503 (SQLite was
    locked, for as long as others write), refused connections once a server has
    answered, and ``Prefect-Maintenance`` are bounded by the budget alone. ``spread``
    is the part of each wait that is drawn at random, ``codes`` are further
    statuses to try again on.
    """

    budget_seconds: float = 60.0
    deadline_seconds: float = 120.0
    attempts: int = 12
    first_attempts: int = 3
    base_seconds: float = 0.1
    longest_seconds: float = 10.0
    longest_retry_after_seconds: float = 120.0
    spread: float = 1.0
    codes: frozenset[int] = frozenset()

    @classmethod
    def of(cls, target: Target) -> Self:
        """What the settings of a profile ask for.

        Prefect waits 2, 4, 8 … seconds before its retries. As many retries as
        are set mean as long as Prefect would keep trying, in attempts of our own; 0 means none.
        """
        usual, wish = cls(), target.retries
        policy = cls(
            spread=1.0 if wish.jitter is None else min(1.0, wish.jitter),
            codes=wish.codes,
            deadline_seconds=max(usual.deadline_seconds, 2 * target.timeout_seconds),
        )
        if wish.most is None:
            return policy
        budget = min(2.0 ** min(wish.most + 1, 16) - 2, _LONGEST_BUDGET_SECONDS)
        return msgspec.structs.replace(
            policy,
            budget_seconds=budget,
            attempts=1 if wish.most == 0 else max(usual.attempts, int(budget / 5)),
            first_attempts=min(usual.first_attempts, wish.most + 1),
        )

    def delay(
        self, response: Response, effort: Effort, elapsed: float, *, jitter: float, is_known: bool
    ) -> float | None:
        """How many seconds to wait before the next attempt; None when the attempts or the budget are used up.

        Args:
            response: what the last attempt came to.
            effort: all attempts so far; waits that are not charged are noted in it.
            elapsed: seconds since the first.
            jitter: a random number from 0 to 1.
            is_known: the server has answered before.
        """
        if self._is_spent(response, effort, is_known=is_known):
            return None
        delay, asked = self._backoff(effort, jitter), retry_after_seconds(response.headers)
        if asked is not None:
            delay += min(asked, self.longest_retry_after_seconds)
        if asked is not None and response.status == HTTPStatus.TOO_MANY_REQUESTS:
            effort.excused_seconds += delay
        return delay if elapsed + delay - effort.excused_seconds <= self.budget_seconds else None

    def _backoff(self, effort: Effort, jitter: float) -> float:
        """Exponential, with full jitter by default: clients that failed together do not come back together."""
        growth = 2.0 ** min(effort.attempts - 1, 16)
        share = 1.0 - self.spread * (1.0 - jitter)
        return share * min(self.longest_seconds, self.base_seconds * growth)

    def _is_spent(self, response: Response, effort: Effort, *, is_known: bool) -> bool:
        """Whether the attempts are used up: few before the first response, since the URL may be wrong."""
        if response.is_unconnected and not is_known:
            return effort.attempts >= self.first_attempts
        return effort.counted >= self.attempts or self.budget_seconds <= 0


class Effort(msgspec.Struct):
    """What one request has cost so far.

    ``counted`` leaves out the attempts that met no server, a busy one, or one
    in maintenance. ``is_doubtful``: the server may have carried out some attempt.
    ``excused_seconds`` are not charged to the budget.
    """

    started: float
    attempts: int = 0
    counted: int = 0
    server_errors: int = 0
    stalls: int = 0
    excused_seconds: float = 0.0
    is_doubtful: bool = False

    def add(self, call: Call, response: Response, seconds: float) -> None:
        """Account for one more attempt, and how long it took."""
        is_maintenance = response.headers.get("prefect-maintenance", "").lower() == "true"
        self.attempts += 1
        is_busy = response.status == HTTPStatus.SERVICE_UNAVAILABLE
        self.counted += not (response.is_unconnected or is_maintenance or is_busy)
        self.server_errors += response.status == HTTPStatus.INTERNAL_SERVER_ERROR
        self.is_doubtful |= call.is_write and response.executed == "maybe"
        if response.reason == NO_RESPONSE and self.stalls < _STALLS_EXCUSED:
            self.stalls += 1
            self.excused_seconds += seconds


def may_repeat(call: Call, response: Response, effort: Effort, codes: Collection[int] = ()) -> bool:
    """Whether another attempt may help and does no harm; ``codes`` are statuses that a user wants to try again."""
    if response.is_final or (response.status and response.status not in RETRIED and response.status not in codes):
        return False
    if response.status == HTTPStatus.INTERNAL_SERVER_ERROR and effort.server_errors > 1:
        return False
    return call.repeatable or response.executed == "no"


def may_come_late(call: Call, response: Response) -> bool:
    """Whether a write may take effect after it ended here; a 500 is the server's own, and it is over then."""
    return call.is_write and response.executed == "maybe" and response.status != HTTPStatus.INTERNAL_SERVER_ERROR


def may_be_too_early(call: Call, response: Response, effort: Effort) -> bool:
    """Whether a write to Cloud names an object that was made a moment ago and is not found yet (docs/cloud.md)."""
    is_new = call.is_write and call.method != "DELETE" and response.status == HTTPStatus.NOT_FOUND
    return is_new and effort.attempts < _EARLY_ATTEMPTS


def retry_after_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait that ``Retry-After`` asks for, in either of its forms; None where it is missing or has no meaning.

    A date is compared with the response's own ``Date``: two machines' clocks are never compared.
    """
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        until, now = _instant(text), _instant(headers.get("date", ""))
        return None if until is None or now is None else max(0.0, until - now)
    return seconds if 0 <= seconds < math.inf else None


def _instant(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
