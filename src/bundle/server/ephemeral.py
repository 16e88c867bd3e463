"""Ephemeral servers: where a profile without an API URL keeps its data, and how to start a server for it. Pure.

With ephemeral mode on, Prefect starts a server for each command. Prefect is not imported here; its own ``prefect
server start`` is run, with the settings of this profile and of no other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from bundle.errors import ProfileError

ENABLED = ("PREFECT_SERVER_EPHEMERAL_ENABLED", "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE")
TIMEOUT = "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"

_HOME = "PREFECT_HOME"
_URL = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
_PARTS = ("PREFECT_SERVER_DATABASE_", "PREFECT_API_DATABASE_")
# How to reach another server, and where this one would listen if we did not choose that.
_NOT_THE_SERVERS = re.compile(
    r"PREFECT_(API_(URL|KEY|AUTH_STRING|TLS_.*|SSL_.*|ENABLE_HTTP2|REQUEST_TIMEOUT|SERVICES_.*)|CLIENT_.*|PROFILE|PROFILES_PATH"
    r"|SERVER_API_(HOST|PORT|BASE_PATH)|SERVER_(EPHEMERAL|SERVICES)_.*|SERVER_ALLOW_EPHEMERAL_MODE)"
)


def variables(settings: Mapping[str, str], origin: str, prefect_home: Path, cwd: Path) -> dict[str, str]:
    """The ``PREFECT_*`` variables of a server with the data of these settings; paths in them are absolute.

    Raises:
        ProfileError: the database is in memory: there is nothing to read, and what is written is lost.
    """
    kept = {name: text for name, text in settings.items() if name.startswith("PREFECT_") and text}
    kept = {name: text for name, text in kept.items() if not _NOT_THE_SERVERS.fullmatch(name)}
    url = next((kept.pop(name) for name in _URL if name in kept), None)
    if url is not None and ("mode=memory" in url or re.search(r":memory:|:///?(\?|$)", url)):
        raise ProfileError(
            f"{origin}: its database is in memory, and is lost when the command ends",
            hint=f"set {_URL[0]} to a database on disk, or PREFECT_API_URL to a running server",
        )
    if url is not None:
        # Under both names: before 3.1 only the second was known.
        kept |= dict.fromkeys(_URL, re.sub(r"(?<=^sqlite\+aiosqlite:///)(?!/|file:|\?|$)", f"{cwd}/", url))
    return {**kept, _HOME: str(prefect_home)}


def place(server: Mapping[str, str]) -> str:
    """Where the data of such a server is, as a URL without credentials: one for each database."""
    url = server.get(_URL[0])
    if url is not None:
        return re.sub(r"^([A-Za-z0-9]+)(?:\+\w+)?://(?:[^?]*@)?([^?]*).*$", r"\1://\2", url, flags=re.DOTALL)
    driver, host, port, name = (_part(server, part) for part in ("DRIVER", "HOST", "PORT", "NAME"))
    if driver.startswith("postgresql"):
        return f"postgresql://{host}:{port or 5432}/{name}"
    return f"sqlite:///{name or Path(server[_HOME], 'prefect.db')}"


def _part(server: Mapping[str, str], part: str) -> str:
    return next((server[prefix + part] for prefix in _PARTS if prefix + part in server), "")


def hide(text: str, server: Mapping[str, str]) -> str:
    """A text about such a server without the secrets among its variables."""
    values = [value for name, value in server.items() if re.search(r"URL|KEY|PASSWORD|SECRET|TOKEN|AUTH", name)]
    passwords = [found[1] for value in values if (found := re.search(r"://[^:/?]*:(.+)@", value))]
    for value in sorted({*values, *passwords}, key=len, reverse=True):
        text = text.replace(value, "***")
    return text
