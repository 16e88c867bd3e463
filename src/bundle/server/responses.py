"""What an answer, or its absence, means: for repeating a request, and for the error that the caller sees. Pure.

No message here holds a text of the server, a body or a credential; a server's
own text goes into an error's ``detail`` only where it cannot repeat what was sent.
"""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Collection, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import urljoin, urlsplit

import msgspec

from bundle.errors import AccessDenied, PlanLimit, RequestRejected, ServerError, Unreachable
from bundle.model import Json
from bundle.server.profiles import Target
from bundle.server.urls import url_hint

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

_DETAIL_CHARACTERS = 500
_MOST_FIELDS = 100
_EARLY_ATTEMPTS = 8  # about six seconds; the Terraform provider waits five
_RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_BETWEEN = "something between may answer in the server's place, such as a login page: open the URL in a browser"
_FULL = "the workspace holds as many of these as its plan allows"
_PLAN_LIMITS = {"maximum number": _FULL, "plan does not support": "the workspace's plan does not support it"}
_NO_MEMBER = (
    "the workspace does not exist, or the owner of the API key is no member of it: "
    "`prefect cloud workspace ls` shows which ones there are"
)
UNTRUSTED = "its TLS certificate is not trusted"
EXPIRED = f"{UNTRUSTED}: it has expired"
OTHER_HOST = f"{UNTRUSTED}: it is for another host"
PROXY_REFUSED = "the proxy refused the connection"
NO_ANSWER = "no answer in time"
NO_TLS = "no TLS connection"
BROKEN_OFF = "the connection broke off"
# Prefect on SQLite can stand still for a minute, as long as a request may take (docs/decisions/0012): without an
# excuse nobody would ask again.
_STALLS_EXCUSED = 2
_PROXY_HINT = (
    "the variables https_proxy, http_proxy and no_proxy say which proxy is used; its credentials "
    "stand in its URL: http://USER:PASSWORD@HOST:PORT"
)
# A server's text that holds a value this long, or the beginning of a longer one, may be repeating what was sent.
_ECHO_VALUE, _ECHO_WORD, _ECHO_BEGINNING = 4, 6, 16
_NAMES = frozenset({"name", "tag", "slug"})


class Call(msgspec.Struct, frozen=True):
    """One request as the caller means it."""

    method: Method
    path: str
    body: Json = None
    is_write: bool = False
    repeatable: bool = True

    @property
    def content(self) -> bytes | None:
        return None if self.body is None else msgspec.json.encode(self.body)

    @property
    def work(self) -> str:
        """What the server has to do, whatever the resource: the method and the first part of the path."""
        return f"{self.method} {self.path.split('/')[1]}"

    @property
    def place(self) -> str:
        """Method and path for messages; a query is left out."""
        return f"{self.method} {self.path.partition('?')[0]}"


class Outcome(msgspec.Struct, frozen=True):
    """What one attempt came to: an answer, or (status 0) the reason why there is none.

    ``executed`` says whether the server may have acted on it. ``is_final``: another attempt ends the same way.
    """

    status: int = 0
    headers: Mapping[str, str] = {}
    content: bytes = b""
    reason: str = ""
    executed: Literal["no", "maybe", "yes"] = "yes"
    is_final: bool = False

    @property
    def is_answer(self) -> bool:
        return not self.reason

    @property
    def is_unconnected(self) -> bool:
        return self.status == 0 and self.executed == "no"

    @property
    def json(self) -> Json:
        """The decoded body; None where it is not JSON."""
        try:
            return msgspec.json.decode(self.content)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return None

    @property
    def detail(self) -> str:
        """The server's own text, printable and short."""
        body = self.json
        text = (body.get("detail") or body.get("exception_message")) if isinstance(body, dict) else None
        return re.sub(r"[^\x20-\x7e\xa0-\uffff]", " ", text)[:_DETAIL_CHARACTERS] if isinstance(text, str) else ""


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

    def add(self, call: Call, outcome: Outcome, seconds: float) -> None:
        """Account for one more attempt, and how long it took."""
        is_maintenance = outcome.headers.get("prefect-maintenance", "").lower() == "true"
        self.attempts += 1
        is_busy = outcome.status == HTTPStatus.SERVICE_UNAVAILABLE
        self.counted += not (outcome.is_unconnected or is_maintenance or is_busy)
        self.server_errors += outcome.status == HTTPStatus.INTERNAL_SERVER_ERROR
        self.is_doubtful |= call.is_write and outcome.executed == "maybe"
        if outcome.reason == NO_ANSWER and self.stalls < _STALLS_EXCUSED:
            self.stalls += 1
            self.excused_seconds += seconds


def executed_by(outcome: Outcome) -> Literal["no", "maybe", "yes"]:
    """Whether the server may have acted on a request that it answered.

    404: there was nothing to act on. 408: the request did not arrive whole.
    429: refused at the door. Prefect's own 503 (a locked database) follows a rollback; another 503 may come from a
    gateway, and then, as for other 5xx, nobody knows.
    """
    if outcome.status in {HTTPStatus.NOT_FOUND, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}:
        return "no"
    if outcome.status == HTTPStatus.SERVICE_UNAVAILABLE and outcome.detail == "Service Unavailable":
        return "no"
    return "maybe" if outcome.status >= HTTPStatus.INTERNAL_SERVER_ERROR else "yes"


def may_repeat(call: Call, outcome: Outcome, effort: Effort, codes: Collection[int] = ()) -> bool:
    """Whether another attempt may help and does no harm; ``codes`` are statuses that a user wants to try again."""
    if outcome.is_final or (outcome.status and outcome.status not in _RETRIED and outcome.status not in codes):
        return False
    if outcome.status == HTTPStatus.INTERNAL_SERVER_ERROR and effort.server_errors > 1:
        return False
    return call.repeatable or outcome.executed == "no"


def may_come_late(call: Call, outcome: Outcome) -> bool:
    """Whether a write may take effect after its end was told here; a 500 is the server's own, and it is over then."""
    return call.is_write and outcome.executed == "maybe" and outcome.status != HTTPStatus.INTERNAL_SERVER_ERROR


def may_be_too_early(call: Call, outcome: Outcome, effort: Effort) -> bool:
    """Whether a write to Cloud names an object that was made a moment ago and is not found yet (docs/cloud.md)."""
    is_new = call.is_write and call.method != "DELETE" and outcome.status == HTTPStatus.NOT_FOUND
    return is_new and effort.attempts < _EARLY_ATTEMPTS


def told_seconds(headers: Mapping[str, str]) -> float | None:
    """The wait that ``Retry-After`` asks for, in either of its forms; None where it is missing or senseless.

    A date is compared with the answer's own ``Date``: two machines' clocks are never compared.
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


def is_csrf_refusal(outcome: Outcome) -> bool:
    return outcome.status == HTTPStatus.FORBIDDEN and "csrf token" in outcome.detail.lower()


# -- Errors -----------------------------------------------------------------------------------------------------------


def failure(target: Target, call: Call, outcome: Outcome, effort: Effort, *, is_known: bool) -> ServerError:
    """Turn an outcome into the error that the caller sees: the one place where that is decided.

    ``is_known``: the server answered before.
    """
    if outcome.status in _RETRIED - {500} or not outcome.is_answer or (effort.is_doubtful and not call.repeatable):
        return _unreachable(target, call, outcome, effort, is_known=is_known)
    if outcome.status < HTTPStatus.BAD_REQUEST:
        return _redirected(target, call, outcome)
    if limit := _plan_limit(outcome):
        return _beyond_the_plan(target, call, outcome, limit)
    if outcome.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _denied(target, call, outcome)
    reason = "the request is too large, " if outcome.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else ""
    return RequestRejected(
        f"{call.place} on {target.host}: {reason}status {outcome.status}",
        status=outcome.status,
        detail=_safe_detail(target, call, outcome),
        fields=_fields(outcome),
        maybe_done=effort.is_doubtful,
        hint=_advice(target, outcome),
    )


def _advice(target: Target, outcome: Outcome) -> str:
    """What to do about a plain refusal."""
    if outcome.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        if target.is_cloud:
            return url_hint(target.url) or _NO_MEMBER
        old = "if it is an older Prefect than the other side, upgrade it; else run the same command again"
        return url_hint(target.url) or old
    if outcome.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return _PROXY_HINT
    if outcome.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "make the resource smaller, or let the server, or the proxy before it, take larger requests"
    return "the server's own log says why; run the same command again when that is mended"


def _unreachable(target: Target, call: Call, outcome: Outcome, effort: Effort, *, is_known: bool) -> Unreachable:
    reason = outcome.reason or f"status {outcome.status}"
    times = "" if effort.attempts == 1 else f" after {effort.attempts} attempts"
    doubt = "the server may have carried it out; run the same command again, which looks first"
    hints = {
        UNTRUSTED: f'name the authority that signed it in PREFECT_API_SSL_CERT_FILE of profile "{target.name}"',
        EXPIRED: "renew the server's certificate, or look at the clock of this machine",
        OTHER_HOST: f'set PREFECT_API_URL of profile "{target.name}" to the name that the certificate is for',
        PROXY_REFUSED: _PROXY_HINT,
    }
    hint = hints.get(outcome.reason) or _check_url(target, outcome, is_known=is_known)
    return Unreachable(
        f"{call.place} on {target.host}: {reason}{times}",
        hint=doubt if effort.is_doubtful else hint,
        maybe_done=effort.is_doubtful,
    )


def _check_url(target: Target, outcome: Outcome, *, is_known: bool) -> str:
    """What to look at where nobody answers; with the other scheme, where that may be the mistake."""
    question = f'is the server running, and is PREFECT_API_URL of profile "{target.name}" right?'
    scheme, _, rest = target.url.partition("://")
    if scheme == "https" and outcome.reason == NO_TLS:
        return f"{question} If it has no TLS, set it to http://{rest}"
    if scheme == "http" and outcome.reason == BROKEN_OFF and not is_known:
        return f"{question} If it has TLS, set it to https://{rest}"
    return question


def moved_within(url: str, outcome: Outcome) -> str | None:
    """Where a redirect leads that keeps method and body (307, 308) and stays with the same server; else None."""
    if outcome.status not in {HTTPStatus.TEMPORARY_REDIRECT, HTTPStatus.PERMANENT_REDIRECT}:
        return None
    there = _location(url, outcome)
    return there if there and _origin(there) == _origin(url) else None


def _location(url: str, outcome: Outcome) -> str | None:
    """The absolute URL of a ``Location``; None where there is none that could be asked."""
    text = outcome.headers.get("location", "")
    try:
        there = urljoin(url, text)
        is_usable = bool(_origin(there)[1]) and re.fullmatch(r"[\x21-\x7e]+", there) is not None
    except ValueError:
        return None
    return there if text and is_usable and "@" not in urlsplit(there).netloc else None


def _origin(url: str) -> tuple[str, str, int]:
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)


def _redirected(target: Target, call: Call, outcome: Outcome) -> RequestRejected:
    """The error for a redirect that is not followed; where it leads is said only of the same host."""
    there = (_location(target.base + call.path, outcome) or "").partition("?")[0]
    right = there.removesuffix(call.path.partition("?")[0])
    is_same_host = there != right and _origin(there)[1] == _origin(target.base)[1]
    return RequestRejected(
        f"{call.place} on {target.host}: redirected (status {outcome.status}), and not to the same server",
        status=outcome.status,
        hint=f"set PREFECT_API_URL to {right}"
        if is_same_host
        else "set PREFECT_API_URL to the final URL (https:// instead of http:// is the usual reason)",
    )


def _plan_limit(outcome: Outcome) -> str | None:
    """What the plan of a Cloud workspace does not allow, in our words; None for any other answer.

    Only these two texts are known, from Prefect's own client (docs/cloud.md);
    they are looked for in the whole answer, since its form is not documented.
    """
    text = outcome.content.decode(errors="replace").lower() if outcome.status == HTTPStatus.FORBIDDEN else ""
    return next((meaning for words, meaning in _PLAN_LIMITS.items() if words in text), None)


def _beyond_the_plan(target: Target, call: Call, outcome: Outcome, limit: str) -> PlanLimit:
    return PlanLimit(
        f"{call.place} on {target.host}: {limit}",
        status=outcome.status,
        detail=_safe_detail(target, call, outcome) or limit,
        hint="choose a higher plan, or make room, and run the same command again",
        is_full=limit == _FULL,
    )


def _denied(target: Target, call: Call, outcome: Outcome) -> AccessDenied:
    name = f'profile "{target.name}"'
    hint = f"the credentials of {name} were refused or do not permit this: renew them, or ask for the permission"
    if target.credentials is None and not target.headers:
        hint = f"{name} has no credentials: set PREFECT_API_KEY or PREFECT_API_AUTH_STRING in it"
    return AccessDenied(
        f"{call.place} on {target.host}: access denied (status {outcome.status})",
        status=outcome.status,
        detail=_safe_detail(target, call, outcome),
        hint=hint,
    )


def not_json(target: Target, call: Call, outcome: Outcome) -> ServerError:
    """The error for a success without JSON: most often a web page, because the URL is not the API's."""
    message = f"{call.place} on {target.host}: the answer (status {outcome.status}) is not JSON"
    hint = url_hint(target.url) or _BETWEEN
    if call.is_write and not call.repeatable:
        return Unreachable(message, hint=hint, maybe_done=True)
    return RequestRejected(message, status=outcome.status, hint=hint)


def _safe_detail(target: Target, call: Call, outcome: Outcome) -> str:
    """The server's text, unless it may repeat what was sent: any 422, and where it holds a value of ours.

    What the body calls its object is no secret and may be repeated.
    """
    if outcome.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return ""
    body = call.body
    unnamed = {key: value for key, value in body.items() if key not in _NAMES} if isinstance(body, dict) else body
    ours = [*_values(unnamed), *(value.reveal() for _, value in target.headers)]
    ours += [] if target.credentials is None else target.credentials.reveal().split(":")
    return "" if any(_repeats(outcome.detail, value) for value in ours) else outcome.detail


def _repeats(detail: str, value: str) -> bool:
    """Whether a text holds a value, or the beginning of a word of it; words of letters alone may be prose."""
    if len(value) >= _ECHO_VALUE and value in detail:
        return True
    words = re.split(r"""[^\x21-\x7e\xa0-\uffff]|["'\\]""", value)
    telling = (word for word in words if len(word) >= _ECHO_WORD and not word.isalpha())
    return any(word[:_ECHO_BEGINNING] in detail for word in telling)


def _values(body: Json) -> Iterator[str]:
    """Every text and number in a body."""
    if isinstance(body, dict | list | tuple):
        for value in body.values() if isinstance(body, dict) else body:
            yield from _values(value)
    elif body is not None and not isinstance(body, bool):
        yield str(body)


def _fields(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """Where a 422 finds fault, and the type of fault; never the message or the input, which repeat values.

    Prefect 3 lists them under ``exception_detail``, FastAPI itself under
    ``detail``; types are pydantic's (``extra_forbidden``, in 2.x servers ``value_error.extra``).
    """
    body = outcome.json if outcome.status == HTTPStatus.UNPROCESSABLE_ENTITY else None
    lists = [body.get("exception_detail"), body.get("detail")] if isinstance(body, dict) else []
    faults = next((found for found in lists if isinstance(found, list)), [])
    return tuple(_field(fault) for fault in faults[:_MOST_FIELDS] if isinstance(fault, dict))


def _field(fault: dict[str, Any]) -> tuple[str, str]:
    location = fault.get("loc")
    steps = location if isinstance(location, list) else []
    path = ".".join(str(step) for step in steps if isinstance(step, str | int))
    kind = fault.get("type")
    return path[:_DETAIL_CHARACTERS], kind[:100] if isinstance(kind, str) else ""
