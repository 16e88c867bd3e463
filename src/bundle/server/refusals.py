"""What a response, or its absence, means as an error: the one place where that is decided. Pure.

No message here holds a text of the server, a body or a credential; a server's
own text goes into an error's ``detail`` only where it cannot repeat what was sent.
"""

from __future__ import annotations

from http import HTTPStatus

from bundle.errors import AccessDenied, AnswerTooLarge, PlanLimit, RequestRejected, ServerError, Unreachable
from bundle.model import Json
from bundle.server.echoes import fields, safe_detail
from bundle.server.redirects import location, origin
from bundle.server.responses import (
    BROKEN_OFF,
    EXPIRED,
    NO_TLS,
    OTHER_HOST,
    PROXY_REFUSED,
    TOO_LARGE,
    UNTRUSTED,
    Call,
    Response,
)
from bundle.server.retry import RETRIED, Effort
from bundle.server.target import Target
from bundle.server.urls import url_hint

_BETWEEN = "something else may be answering, for example a login page: open the URL in a browser"
_FULL = "the workspace holds as many of these as its plan allows"
_PLAN_LIMITS = {"maximum number": _FULL, "plan does not support": "the workspace's plan does not support it"}
_NO_MEMBER = (
    "the workspace does not exist, or the owner of the API key is not a member of it: "
    "`prefect cloud workspace ls` shows which ones there are"
)
_PROXY_HINT = (
    "the variables https_proxy, http_proxy and no_proxy say which proxy is used; its credentials "
    "are in its URL: http://USER:PASSWORD@HOST:PORT"
)


def failure(target: Target, call: Call, response: Response, effort: Effort, *, is_known: bool) -> ServerError:
    """Turn a response into the error that the caller sees: the one place where that is decided.

    ``is_known``: the server has answered before.
    """
    if response.reason == TOO_LARGE and not call.is_write:
        return AnswerTooLarge(
            f"{call.place} on {target.host}: {TOO_LARGE}", hint="see what the server holds there; it may be no Prefect"
        )
    if response.status in RETRIED - {500} or not response.has_arrived or (effort.is_doubtful and not call.repeatable):
        return _unreachable(target, call, response, effort, is_known=is_known)
    if response.status < HTTPStatus.BAD_REQUEST:
        return _redirected(target, call, response)
    if limit := _plan_limit(response):
        return _beyond_the_plan(target, call, response, limit)
    if response.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return _denied(target, call, response)
    reason = "the request is too large, " if response.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else ""
    return RequestRejected(
        f"{call.place} on {target.host}: {reason}status {response.status}",
        status=response.status,
        detail=safe_detail(target, call, response),
        fields=fields(response),
        maybe_done=effort.is_doubtful,
        hint=_advice(target, response),
    )


def _advice(target: Target, response: Response) -> str:
    """What to do about a plain refusal."""
    if response.status in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
        if target.is_cloud:
            return url_hint(target.url) or _NO_MEMBER
        old = "if it is an older Prefect than the other side, upgrade it; else run the same command again"
        return url_hint(target.url) or old
    if response.status == HTTPStatus.PROXY_AUTHENTICATION_REQUIRED:
        return _PROXY_HINT
    if response.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "make the resource smaller, or raise the limit for requests on the server or its proxy"
    return "see the server's log, fix the cause and run the same command again"


def _unreachable(target: Target, call: Call, response: Response, effort: Effort, *, is_known: bool) -> Unreachable:
    reason = response.reason or f"status {response.status}"
    times = "" if effort.attempts == 1 else f" after {effort.attempts} attempts"
    doubt = "the server may have carried it out; run the same command again: it checks first"
    hints = {
        UNTRUSTED: f'set PREFECT_API_SSL_CERT_FILE of profile "{target.name}" to the authority that signed it',
        EXPIRED: "renew the server's certificate, or check the clock of this machine",
        OTHER_HOST: f'set PREFECT_API_URL of profile "{target.name}" to the name that the certificate is for',
        PROXY_REFUSED: _PROXY_HINT,
    }
    hint = hints.get(response.reason) or _check_url(target, response, is_known=is_known)
    return Unreachable(
        f"{call.place} on {target.host}: {reason}{times}",
        hint=doubt if effort.is_doubtful else hint,
        maybe_done=effort.is_doubtful,
    )


def _check_url(target: Target, response: Response, *, is_known: bool) -> str:
    """What to check where there is no response; with the other scheme, where that may be the mistake."""
    question = f'is the server running, and is PREFECT_API_URL of profile "{target.name}" right?'
    scheme, _, rest = target.url.partition("://")
    if scheme == "https" and response.reason == NO_TLS:
        return f"{question} If it has no TLS, set it to http://{rest}"
    if scheme == "http" and response.reason == BROKEN_OFF and not is_known:
        return f"{question} If it has TLS, set it to https://{rest}"
    return question


def _redirected(target: Target, call: Call, response: Response) -> RequestRejected:
    """The error for a redirect that is not followed; no address in it is the server's."""
    there = location(target.base + call.path, response)
    secure = target.base.replace("http://", "https://", 1)
    is_to_https = there is not None and secure != target.base and origin(there) == origin(secure)
    return RequestRejected(
        f"{call.place} on {target.host}: redirected (status {response.status}), which is not followed",
        status=response.status,
        hint=f"the server wants https: set PREFECT_API_URL to {secure}"
        if is_to_https
        else "set PREFECT_API_URL to the final URL (https:// instead of http:// is the usual reason)",
    )


def _plan_limit(response: Response) -> str | None:
    """What the plan of a Cloud workspace does not allow, in our words; None for any other response.

    Only these two texts are known, from Prefect's own client (docs/cloud.md);
    they are looked for in the whole response, since its form is not documented.
    """
    text = response.content.decode(errors="replace").lower() if response.status == HTTPStatus.FORBIDDEN else ""
    return next((meaning for words, meaning in _PLAN_LIMITS.items() if words in text), None)


def _beyond_the_plan(target: Target, call: Call, response: Response, limit: str) -> PlanLimit:
    return PlanLimit(
        f"{call.place} on {target.host}: {limit}",
        status=response.status,
        detail=safe_detail(target, call, response) or limit,
        hint="choose a higher plan, or make room, and run the same command again",
        is_full=limit == _FULL,
    )


def _denied(target: Target, call: Call, response: Response) -> AccessDenied:
    name = f'profile "{target.name}"'
    hint = f"the credentials of {name} were refused or do not permit this: renew them, or ask for the permission"
    if target.credentials is None and not target.headers:
        hint = f"{name} has no credentials: set PREFECT_API_KEY or PREFECT_API_AUTH_STRING in it"
    return AccessDenied(
        f"{call.place} on {target.host}: access denied (status {response.status})",
        status=response.status,
        detail=safe_detail(target, call, response),
        hint=hint,
    )


def decoded(target: Target, call: Call, response: Response) -> Json:
    """The decoded body of a response; None where it has none.

    Raises:
        RequestRejected: it is not JSON.
    """
    if not response.content:
        return None
    value = response.json
    if value is None and response.content.strip() != b"null":
        raise not_json(target, call, response)
    return value


def not_json(target: Target, call: Call, response: Response) -> ServerError:
    """The error for a success without JSON: most often a web page, because the URL is not the API's."""
    message = f"{call.place} on {target.host}: the response (status {response.status}) is not JSON"
    hint = url_hint(target.url) or _BETWEEN
    if call.is_write and not call.repeatable:
        return Unreachable(message, hint=hint, maybe_done=True)
    return RequestRejected(message, status=response.status, hint=hint)
