"""API URLs: what a person wrote becomes a usable URL, or advice; and path segments. Pure.

No message quotes what may be a password: a malformed URL may carry one anywhere.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, quote, unquote, urlsplit

from bundle.errors import ProfileError

_UUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
_WORKSPACE = re.compile(rf"/accounts/({_UUID})/workspaces/({_UUID})")
_WORKSPACE_MISSPELT = re.compile(rf"/accounts?/({_UUID})/workspaces?/({_UUID})")
_CLOUD_API = "https://api.prefect.cloud/api"
_CLOUD_HOST = re.compile(r"(?:app|api)\.((?:[a-z0-9-]+\.)?prefect\.(?:cloud|dev))")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})  # noqa: S104 - compared with, never bound

# What follows the path of a server: its routes, and the pages of its UI.
_BEHIND_THE_API = re.compile(
    r"/(?:api|dashboard|runs|flow-runs|flows|deployments|work-pools|work-queues|blocks|variables|automations"
    r"|event-feed|events|concurrency-limits|artifacts|settings|login)(?:/|$)"
)
ENVIRONMENT = "the environment"
"""The origin of a setting that is in no profile."""
_LIKE = "set it to a URL such as http://HOST:4200/api"


def names_workspace(url: str) -> bool:
    """Whether a URL names a Cloud workspace; customer-managed Cloud has other hosts, but the same path."""
    return _WORKSPACE.search(urlsplit(url).path) is not None


def url_hint(url: str) -> str | None:
    """What is probably wrong with an API URL that does not work as one; None when it looks right."""
    parts = urlsplit(url)
    if not parts.scheme.startswith("http") or parts.path.rstrip("/").endswith("/api"):
        return None
    if _WORKSPACE.search(parts.path):
        before, accounts, rest = parts.path.partition("/accounts/")
        right = f"{parts.scheme}://{parts.netloc}{before}/api{accounts}{rest}"
        return None if before.endswith("/api") else f"/api is missing before /accounts: set PREFECT_API_URL to {right}"
    before = _BEHIND_THE_API.split(parts.path.rstrip("/"), maxsplit=1)[0]
    return f"an API URL usually ends in /api: set PREFECT_API_URL to {parts.scheme}://{parts.netloc}{before}/api"


def api_url(text: str, origin: str) -> tuple[str, str]:
    """The API URL without user information, and the user information, of what ``PREFECT_API_URL`` holds.

    Args:
        text: the setting.
        origin: where it is set, for messages.

    Raises:
        ProfileError: it is not a URL, or surely not one of an API.
    """
    text = text.strip()
    if not text:
        raise _no_url(origin)
    if re.match(r"https?://", text, re.IGNORECASE) is None:
        raise _no_scheme(text, origin)
    parts = _split(text, origin)
    userinfo = unquote(parts.netloc.rpartition("@")[0])
    url = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
    if corrected := _corrected(url):
        raise ProfileError(
            f"{origin}: {url} is not an API URL of Prefect Cloud", hint=f"set PREFECT_API_URL to {corrected}"
        )
    return url, userinfo


def _split(text: str, origin: str) -> SplitResult:
    """The parts of a URL, after everything in it that could not be sent was refused.

    Without quoting it and without the cause: a malformed URL may carry a password anywhere.
    """
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise ProfileError(f"{origin}: PREFECT_API_URL is not a valid URL", hint=_LIKE) from None
    if not parts.hostname or re.search(r"[\x00-\x20\x7f-\uffff\\]", text):
        raise ProfileError(f"{origin}: PREFECT_API_URL is not a valid URL", hint=_LIKE)
    if "?" in text or "#" in text:
        plain = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")
        raise ProfileError(
            f"{origin}: PREFECT_API_URL must not have a query or a fragment",
            hint=f"set PREFECT_API_URL to {_corrected(plain) or plain}",
        )
    return parts


def _no_url(origin: str) -> ProfileError:
    command = "export" if origin == ENVIRONMENT else "set it: prefect --profile NAME config set"
    return ProfileError(
        f"{origin} has no PREFECT_API_URL",
        hint=f"{command} PREFECT_API_URL=http://HOST:4200/api (Cloud: "
        f"{_CLOUD_API}/accounts/ACCOUNT-ID/workspaces/WORKSPACE-ID)",
    )


def without_scheme(text: str) -> str | None:
    """The URL that a text is meant to be that looks like one without its scheme; None for any other text."""
    bare = text.rpartition("@")[2]
    if re.fullmatch(r"[A-Za-z0-9.-]+(?::[0-9]+|(?::[0-9]+)?/[A-Za-z0-9./_~-]*)", bare) is None:
        return None
    return _of_cloud(bare) or f"http://{bare}"


def _no_scheme(text: str, origin: str) -> ProfileError:
    bare = text.rpartition("://")[2].rpartition("@")[2].lstrip("/")
    hint = _LIKE
    if re.fullmatch(r"[A-Za-z0-9.\[\]:/_~-]+", bare):
        cloud = _of_cloud(bare)
        hint = f"set PREFECT_API_URL to {cloud}" if cloud else f"set it to http://{bare} or https://{bare}"
    return ProfileError(f"{origin}: PREFECT_API_URL must begin with http:// or https://", hint=hint)


def _of_cloud(bare: str) -> str | None:
    """The right URL for one of Cloud without its scheme; None for any other."""
    if _CLOUD_HOST.fullmatch(bare.partition("/")[0].lower()) is None:
        return None
    return _corrected(f"https://{bare}") or f"https://{bare}"


def _corrected(url: str) -> str | None:
    """The right URL for the usual mistakes with Cloud; None for a URL that may be right.

    The pages of Cloud are at ``app.…``, its API at ``api.…``, also where it is reached
    privately (docs.prefect.io, secure-access-by-private-link).
    """
    parts = urlsplit(url)
    workspace = _WORKSPACE_MISSPELT.search(parts.path)
    if hosted := _CLOUD_HOST.fullmatch((parts.hostname or "").lower()):
        ids = workspace.groups() if workspace else ("ACCOUNT-ID", "WORKSPACE-ID")
        right = f"https://api.{hosted[1]}/api/accounts/{ids[0]}/workspaces/{ids[1]}"
        return None if workspace and url.lower() == right.lower() else right
    if workspace is None:
        return None
    before, given = parts.path[: workspace.start()], parts.path[workspace.start() :]
    right = f"/accounts/{workspace[1]}/workspaces/{workspace[2]}"
    return None if given == right else f"{parts.scheme}://{parts.netloc}{before or '/api'}{right}"


def is_this_machine(url: str) -> bool:
    """Whether a URL can lead nowhere but to this machine."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host in _LOOPBACK or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def identity(url: str) -> tuple[str, ...]:
    """What is equal for two URLs of one environment, however they are written."""
    parts = urlsplit(url)
    if workspace := _WORKSPACE.search(parts.path):
        return ("cloud", workspace[1].lower(), workspace[2].lower())
    host = (parts.hostname or "").lower().rstrip(".")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return (parts.scheme, "localhost" if host in _LOOPBACK else host, str(port), parts.path.rstrip("/"))


def segment(text: str) -> str:
    """Percent-encode one path segment: everything but letters, digits and ``-_~.``.

    A segment of dots alone is encoded too, since clients and proxies resolve
    ``.`` and ``..`` before the server sees them.
    """
    encoded = quote(text, safe="", errors="surrogatepass")
    return encoded.replace(".", "%2E") if encoded in {".", ".."} else encoded
