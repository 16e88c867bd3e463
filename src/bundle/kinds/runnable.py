"""Finds what is run in values: steps, commands, images, packages, environment, servers that are called. Pure.

Rules: nothing is rendered, followed, fetched or resolved. A text is one line and whole, but for ``***`` where
something looks like a secret; of environment variables only the names are given. What does not have the shape that
Prefect knows is passed over, since a server refuses it.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections.abc import Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from bundle.model import Json, Pointer
from bundle.record.pointers import join, walk
from bundle.record.suspects import masked_text

Run = tuple[str, Pointer, str]
"""A code of ``plan.execution_surface``, a place in the body, and a text."""
Path = tuple[str, ...]

_READ = 2_000
MOST_NAMES = 20

_MEMBERS: Mapping[str, str] = {
    **dict.fromkeys(("image", "container_image", "image_uri", "imageuri"), "image"),
    **dict.fromkeys(("command", "commands", "cmd", "args", "script", "entrypoint"), "command"),
    **dict.fromkeys(("requires", "packages", "pip_packages", "extra_pip_packages"), "package"),
    **dict.fromkeys(("env", "environment"), "environment"),
    **dict.fromkeys(
        """
        privileged volumes volume_mounts volumemounts mounts hostpath service_account_name serviceaccountname
        serviceaccount service_account hostnetwork hostpid hostipc securitycontext network_mode networks cap_add
        devices task_role_arn taskrolearn execution_role_arn executionrolearn
        """.split(),
        "privilege",
    ),
}
_STEP_PLACES = ("repository", "url", "branch", "commit_sha", "bucket", "container", "folder", "directory")
_OWN_VARIABLE = re.compile(r"^\s*\{\{\s*\w+\s*\}\}\s*$")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>{}|\\]{1,2000}", re.IGNORECASE)
_STORES = frozenset({"s3", "gs", "gcs", "az", "adl", "abfs", "abfss", "r2"})
"""Schemes whose URLs name a bucket, not a host."""
_LOCAL_NAMES = (".local", ".localhost", ".internal", ".svc", ".lan")


def steps(value: Json, path: Path) -> Iterator[Run]:
    for position, each in enumerate(value if isinstance(value, list) else ()):
        yield from step(each, (*path, str(position)))


def step(value: Json, path: Path) -> Iterator[Run]:
    """``{"prefect.deployments.steps.git_clone": {"repository": …}}``: a function and what it is given."""
    for function, inputs in as_object(value).items():
        given = as_object(inputs)
        details = [f"{name} {safe(given[name])}" for name in _STEP_PLACES if isinstance(given.get(name), str)]
        yield "step", join(*path, function), ", ".join((function, *details))
        yield from members(inputs, (*path, function))


def members(value: Json, path: Path) -> Iterator[Run]:
    """What the names of members say, at any depth, and every URL."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from member(name, item, (*path, name))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from members(item, (*path, str(position)))
    elif isinstance(value, str):
        yield from _talk(value, path)


def member(name: str, value: Json, path: Path) -> Iterator[Run]:
    what = _MEMBERS.get(name.lower())
    if what is not None and not _is_nothing(value):
        yield what, join(*path), _listed_names(value) if what == "environment" else shown(value)
    yield from members(value, path)


def _is_nothing(value: Json) -> bool:
    """Whether a value sets nothing: it is empty, off, or one of the template's own variables."""
    return value in (None, "", [], {}, False) or (isinstance(value, str) and bool(_OWN_VARIABLE.match(value)))


def _listed_names(value: Json) -> str:
    """Names of variables, of ``{NAME: value}`` and of Kubernetes' ``[{"name": NAME, "value": …}]``."""
    items = value if isinstance(value, list) else []
    names = list(value) if isinstance(value, dict) else [str(as_object(each).get("name")) for each in items]
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


def shown(value: Json) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode(errors="replace")


def _talk(text: str, path: Path) -> Iterator[Run]:
    for url in urls(text):
        yield "private-url" if _is_private(url) else "url", join(*path), server_of(url)


def urls(value: Json) -> Iterator[SplitResult]:
    """Every URL in a value that has a host."""
    for _, part in walk(value):
        if isinstance(part, str) and "://" in part:
            yield from (url for text in _URL.findall(part[:_READ]) if (url := _parsed(text)) is not None)


def _parsed(text: str) -> SplitResult | None:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError:
        return None
    return url if url.hostname else None


def server_of(url: SplitResult) -> str:
    return f"{url.scheme}://{url.hostname}" + (f":{url.port}" if url.port else "")


def _is_private(url: SplitResult) -> bool:
    """Whether a host is this machine or in a private network, as far as its name shows; nothing is looked up."""
    host = str(url.hostname)
    if url.scheme.lower() in _STORES:
        return False
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_NAMES)


def as_object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


@functools.lru_cache(maxsize=1024)
def safe(text: str) -> str:
    """A text on one line, whole, but for ``***`` in the place of what looks like a secret."""
    return " ".join(masked_text(text).split())
