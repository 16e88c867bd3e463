"""Every error a user can meet, each with its exit code and a hint.

    BundleError                    1
    ├── UsageError                64   the command contradicts itself
    ├── ProfileError              64   a profile is unknown or incomplete
    ├── OutputError                1   a file cannot be written
    ├── Conflict                   1   the destination differs, and the policy is to fail
    ├── SecretsSuspected           1   values look like secrets, and the policy is to fail
    ├── BundleRejected             4
    │   ├── Corrupt                4   bytes are missing, changed, added or reordered
    │   └── UnsupportedFormat      4   a newer xfer is needed
    ├── ServerError                5
    │   ├── Unreachable            5   no answer within the budget
    │   ├── ServerTooLarge         5   its lists take more memory than they may
    │   │   └── AnswerTooLarge     5   one answer does
    │   ├── AccessDenied           5   401 or 403
    │   └── RequestRejected        5   any other refusal (4xx, 5xx) of one request
    │       └── PlanLimit          5   not allowed by the workspace's Prefect Cloud plan
    └── SecretMissing              6   a secret was required and not supplied

Messages are lower case without a final period and never hold a secret, a
request body or a response body.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence


class ExitCode(enum.IntEnum):
    """The process exit codes; any other value is a failure."""

    DONE = 0
    FAILED = 1
    DIFFERENCES = 2
    INCOMPLETE = 3
    BUNDLE_REFUSED = 4
    SERVER = 5
    SECRET_MISSING = 6
    USAGE = 64
    BUG = 70
    INTERRUPTED = 130


class BundleError(Exception):
    """An expected failure: what, where and why, with a hint on what to do next.

    ``reason`` is the code of it where its class has several, else None.
    """

    exit_code = ExitCode.FAILED
    reason: str | None = None

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(BundleError):
    """The command line contradicts itself."""

    exit_code = ExitCode.USAGE


class ProfileError(BundleError):
    """A profile is unknown, incomplete or cannot be read."""

    exit_code = ExitCode.USAGE


class OutputError(BundleError):
    """A file cannot be written; what was there before is untouched."""


class Conflict(BundleError):
    """The destination has resources of the bundle with other content, and the policy is to fail."""


class SecretsSuspected(BundleError):
    """The source has values that look like secrets, and the policy is to carry none; nothing was written."""


class BundleRejected(BundleError):
    """The bundle is refused before any request is sent."""

    exit_code = ExitCode.BUNDLE_REFUSED


class Corrupt(BundleRejected):
    """Bytes of the bundle are missing, changed, added or out of order."""


class UnsupportedFormat(BundleRejected):
    """The bundle needs a newer xfer."""


class ServerError(BundleError):
    """A server could not be reached, or refused a request."""

    exit_code = ExitCode.SERVER


class Unreachable(ServerError):
    """No answer within the retry budget.

    ``maybe_done`` is true when a write was sent and its answer never came:
    the server may have carried it out.
    """

    def __init__(self, message: str, *, hint: str, maybe_done: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.maybe_done = maybe_done


class ServerTooLarge(ServerError):
    """What a server lists takes more memory than it may."""


class AnswerTooLarge(ServerTooLarge):
    """One answer takes more memory than it may."""


class RequestRejected(ServerError):
    """The server answered one request with an error status.

    ``detail`` is the server's own ``detail`` or ``exception_message`` text,
    kept only where it cannot echo what was sent (never for status 422).
    ``fields`` are the JSON paths a 422 complains about, with the error type:
    ``[("body.tags", "extra_forbidden"), …]``. ``maybe_done`` is true when an
    earlier attempt of the same write may have been carried out, so that a
    conflict may be with our own work.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        detail: str = "",
        hint: str,
        fields: tuple[tuple[str, str], ...] = (),
        maybe_done: bool = False,
    ) -> None:
        super().__init__(message, hint=hint)
        self.maybe_done = maybe_done
        self.status = status
        self.detail = detail
        self.fields = fields

    @property
    def explanation(self) -> str:
        """What was refused, and why, as far as the server said so without a value: ``tags (list_type)``."""
        faults = [f"{place.removeprefix('body.') or 'the whole'} ({kind})" for place, kind in self.fields]
        return listed(list(dict.fromkeys(faults))) or self.detail

    @property
    def names(self) -> frozenset[str]:
        """The members of the body in which a 422 finds fault."""
        return frozenset(place.split(".")[1] for place, _ in self.fields if place.startswith("body."))


class AccessDenied(RequestRejected):
    """401, or a 403: the credentials are missing, wrong or too weak."""


class PlanLimit(RequestRejected):
    """403 of Prefect Cloud: the workspace's plan does not allow it. ``is_full``: it allows no more of this kind."""

    def __init__(self, message: str, *, status: int, detail: str, hint: str, is_full: bool) -> None:
        super().__init__(message, status=status, detail=detail, hint=hint)
        self.is_full = is_full


class SecretMissing(BundleError):
    """A secret was required and not supplied."""

    exit_code = ExitCode.SECRET_MISSING


def listed(names: Sequence[str], most: int = 5) -> str:
    """Some names for a message: ``a, b and 3 more``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
