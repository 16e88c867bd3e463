"""What a bundle would run, and what of the destination it would read: its executable surface. Pure.

An import makes code run: steps, images, commands, webhooks. This lists it for whoever has to agree to that.

Rules:

1. What is listed is found in the bodies themselves, never taken from what a bundle says of itself.
2. Nothing is rendered, followed, fetched or resolved; no name is looked up.
3. A text is one line, short, and without anything that looks like a secret. Of environment variables only the
   names are listed, of URLs no user information and no query.
4. A bundle can hold any JSON. What has not the shape that Prefect knows is passed over, since a server refuses it.
"""

from __future__ import annotations

import functools
import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from urllib.parse import SplitResult, urlsplit

import msgspec

from bundle.kinds import KINDS
from bundle.model import Body, Json, Key, Pointer, Record
from bundle.record.key_set import KeySet
from bundle.record.pointers import join, walk
from bundle.record.references import template_names
from bundle.record.secrets import suspects

SURFACE_CODES: Mapping[str, str] = {
    "step": "a step that fetches or stores code, and where",
    "package": "a package that is installed before something runs",
    "entrypoint": "the code that a run of a deployment starts",
    "image": "a container image",
    "command": "a command or script",
    "environment": "names of environment variables that are set",
    "privilege": "what a job gets of its host: accounts, mounts, networks, privileges",
    "url": "a server that is talked to",
    "private-url": "a server in a private network, or on the machine itself, that is talked to",
    "notification": "a block by which something is sent or called",
    "webhook": "an address, new at the destination, at which requests from outside become events",
    "automation-action": "what an automation does by itself, and when",
    "destination-block": "a block that the bundle does not bring: the destination's own is used",
    "destination-variable": "a variable that the bundle does not bring: the destination's own is used",
    "environment-template": "an environment variable of the worker that is read",
    "foreign-id": "an id that nothing in the bundle has: at the destination it may name something",
}

MOST = 100_000
"""Entries that are kept of one bundle; more are only counted."""
_CHARACTERS = 200
_READ = 2_000
_NAMES = 20

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
        """.split(),  # noqa: SIM905 - long lists of names are read as words
        "privilege",
    ),
}
_STEP_PLACES = ("repository", "url", "branch", "commit_sha", "bucket", "container", "folder", "directory")
_SENDERS = frozenset(
    """
    custom-webhook discord-webhook email-server-credentials mattermost-webhook ms-teams-webhook opsgenie-webhook
    pager-duty-webhook sendgrid-email slack-incoming-webhook slack-webhook twilio-sms webhook
    """.split()  # noqa: SIM905 - as above
)
_READ_KINDS = frozenset({"block", "variable"})
_ACTIONS = ("actions", "actions_on_trigger", "actions_on_resolve")

_OWN_VARIABLE = re.compile(r"^\s*\{\{\s*\w+\s*\}\}\s*$")
_ENVIRONMENT = re.compile(r"\{\{\s*(\$\w+)\s*\}\}")
_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s\"'<>{}|\\]{1,2000}", re.IGNORECASE)
_USER_INFORMATION = re.compile(r"(?<=//)[^/\s@]*@")
_QUERY = re.compile(r"(://[^\s?#\"']*)[?#][^\s\"']*")
_TOLD = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|token|secret|credentials?|api[_-]?key|access[_-]?key)[\w-]*\"?\s*[=:\s]\s*)"
    r"(?!\{\{)\S+",
    re.IGNORECASE,
)
_ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
_SHORTEST = 6
_ID_PLACE = re.compile(r"(_id|\$ref)$|/(match|match_related)/")
_TELLING = (b"{{", b"__prefect_kind", b"block_document_slug", b"block_type_slug")
_STORES = frozenset({"s3", "gs", "gcs", "az", "adl", "abfs", "abfss", "r2"})
"""Schemes whose URLs name a bucket, not a host."""
_LOCAL_NAMES = (".local", ".localhost", ".internal", ".svc", ".lan")


class Surface(msgspec.Struct, frozen=True):
    """One place by which something is run or read; ``what`` is one of ``SURFACE_CODES``."""

    key: Key
    pointer: Pointer
    what: str
    text: str


class Surfaces(msgspec.Struct, frozen=True):
    """All of them: how many of each code, and each one, up to ``MOST``."""

    counts: dict[str, int] = {}
    entries: tuple[Surface, ...] = ()


def surfaces(records: Iterable[Record], brought: Iterable[Key] | None = None) -> Surfaces:
    """The surface of some records.

    Args:
        records: in the order of the bundle; they are taken one by one, and not kept.
        brought: keys of the blocks and variables whose values are the bundle's; None for those of the records.
    """
    found = _Found(brought or ())
    for record in records:
        if brought is None:
            found.bring(record.key)
        found.add(record)
    return found.end()


class _Found:
    """What was found so far, in bounded memory."""

    def __init__(self, brought: Iterable[Key]) -> None:
        self._brought = KeySet()
        self._counts: Counter[str] = Counter()
        self._entries: list[Surface] = []
        # What was not there yet when it was named; most of what is named comes before.
        self._open: list[tuple[int, Surface]] = []
        for key in brought:
            self.bring(key)

    def bring(self, key: Key) -> None:
        if key.partition(":")[0] in _READ_KINDS:
            self._brought.add(KeySet.number(key))

    def add(self, record: Record) -> None:
        if record.kind not in _FINDERS:
            # Nothing is run by it, and no template in it is ever resolved.
            return
        for each in _run(record):
            self._keep(each)
        for target, each in _read_by(record):
            if each.what == "foreign-id" or len(self._open) >= MOST:
                self._keep(each)
            elif KeySet.number(target) not in self._brought:
                self._open.append((KeySet.number(target), each))

    def _keep(self, each: Surface) -> None:
        self._counts[each.what] += 1
        if len(self._entries) < MOST:
            self._entries.append(each)

    def end(self) -> Surfaces:
        for number, each in self._open:
            if number not in self._brought:
                self._keep(each)
        order = {code: place for place, code in enumerate(SURFACE_CODES)}
        counts = {code: self._counts[code] for code in SURFACE_CODES if self._counts[code]}
        return Surfaces(counts, tuple(sorted(self._entries, key=lambda each: order[each.what])))


# What is run


def _run(record: Record) -> Iterator[Surface]:
    for what, place, text in _FINDERS[record.kind](record):
        yield Surface(record.key, place, what, _safe(text))


Finding = tuple[str, Pointer, str]
_Path = tuple[str, ...]


def _deployment(record: Record) -> Iterator[Finding]:
    body = record.body
    yield from _steps(body.get("pull_steps"), ("pull_steps",))
    if isinstance(body.get("entrypoint"), str):
        path = body.get("path")
        yield "entrypoint", "/entrypoint", body["entrypoint"] + (f" in {path}" if isinstance(path, str) else "")
    yield from _members(body.get("job_variables"), ("job_variables",))


def _work_pool(record: Record) -> Iterator[Finding]:
    template = _object(record.body.get("base_job_template"))
    for name, spec in _object(_object(template.get("variables")).get("properties")).items():
        if isinstance(spec, dict) and "default" in spec:
            place = ("base_job_template", "variables", "properties", name, "default")
            yield from _member(name, spec["default"], place)
    yield from _members(template.get("job_configuration"), ("base_job_template", "job_configuration"))
    for name, step in _object(record.body.get("storage_configuration")).items():
        yield from _step(step, ("storage_configuration", name))


def _block(record: Record) -> Iterator[Finding]:
    slug = _block_type(record)
    data = record.body.get("data")
    yield from _members(data, ("data",))
    if slug in _SENDERS:
        hosts = sorted({_server(url) for url in _urls(data)})
        yield "notification", "/data", f"{slug} to {', '.join(hosts) if hosts else 'an address that is a secret'}"


def _block_type(record: Record) -> str:
    types = (each.target for each in record.references if each.pointer == "/block_type_id")
    return next(types, record.key.partition("/")[0]).partition(":")[2]


def _automation(record: Record) -> Iterator[Finding]:
    for field in _ACTIONS:
        actions = record.body.get(field)
        for position, action in enumerate(actions if isinstance(actions, list) else ()):
            place = (field, str(position))
            if isinstance(action, dict):
                about = [each.target for each in record.references if each.pointer.startswith(f"{join(*place)}/")]
                target = f" {', '.join(about[:_NAMES])}" if about else ""
                when = _when(field, record.body.get("trigger"))
                yield "automation-action", join(*place), f"{action.get('type')}{target}{when}"
                yield from _members(action.get("job_variables"), (*place, "job_variables"))


def _webhook(record: Record) -> Iterator[Finding]:
    yield "webhook", "/template", _shown(record.body.get("template"))


def _when(field: str, trigger: Json) -> str:
    trigger = _object(trigger)
    if field == "actions_on_resolve":
        return ", when it is resolved"
    if isinstance(trigger.get("triggers"), list):
        return f", on {trigger.get('type')} of {len(trigger['triggers'])} triggers"
    expected = trigger.get("expect")
    events = ", ".join(map(str, expected[:_NAMES])) if isinstance(expected, list) and expected else "any event"
    return f", without {events} in time" if trigger.get("posture") == "Proactive" else f", on {events}"


_FINDERS: Mapping[str, Callable[[Record], Iterator[Finding]]] = {
    "deployment": _deployment,
    "work-pool": _work_pool,
    "block": _block,
    "automation": _automation,
    "webhook": _webhook,
}


def _steps(steps: Json, path: _Path) -> Iterator[Finding]:
    for position, step in enumerate(steps if isinstance(steps, list) else ()):
        yield from _step(step, (*path, str(position)))


def _step(step: Json, path: _Path) -> Iterator[Finding]:
    """``{"prefect.deployments.steps.git_clone": {"repository": …}}``: a function and what it is given."""
    for function, inputs in _object(step).items():
        given = _object(inputs)
        details = [f"{name} {_safe(given[name])}" for name in _STEP_PLACES if isinstance(given.get(name), str)]
        yield "step", join(*path, function), ", ".join((function, *details))
        yield from _members(inputs, (*path, function))


def _members(value: Json, path: _Path) -> Iterator[Finding]:
    """What the names of members tell, wherever they stand, and every URL."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _member(name, item, (*path, name))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _members(item, (*path, str(position)))
    elif isinstance(value, str):
        yield from _talk(value, path)


def _member(name: str, value: Json, path: _Path) -> Iterator[Finding]:
    what = _MEMBERS.get(name.lower())
    if what is not None and not _is_nothing(value):
        yield what, join(*path), _listed_names(value) if what == "environment" else _shown(value)
    yield from _members(value, path)


def _is_nothing(value: Json) -> bool:
    """Whether a value sets nothing: it is empty, off, or one of the template's own variables."""
    return value in (None, "", [], {}, False) or (isinstance(value, str) and bool(_OWN_VARIABLE.match(value)))


def _listed_names(value: Json) -> str:
    """Names of variables, of ``{NAME: value}`` and of Kubernetes' ``[{"name": NAME, "value": …}]``."""
    items = value if isinstance(value, list) else []
    names = list(value) if isinstance(value, dict) else [str(_object(each).get("name")) for each in items]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _shown(value: Json) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return " ".join(value[:_READ])
    return value if isinstance(value, str) else msgspec.json.encode(value).decode(errors="replace")


def _talk(text: str, path: _Path) -> Iterator[Finding]:
    for url in _urls(text):
        yield "private-url" if _is_private(url) else "url", join(*path), _server(url)


def _urls(value: Json) -> Iterator[SplitResult]:
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


def _server(url: SplitResult) -> str:
    return f"{url.scheme}://{url.hostname}" + (f":{url.port}" if url.port else "")


def _is_private(url: SplitResult) -> bool:
    """Whether a host is this machine or in a private network, as far as its name tells; nothing is looked up."""
    host = str(url.hostname)
    if url.scheme.lower() in _STORES:
        return False
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(_LOCAL_NAMES)


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}


# What is read of the destination


def _read_by(record: Record) -> Iterator[tuple[Key, Surface]]:
    """Blocks and variables that are named, each with what is to be said if it is not in the bundle; and the like."""
    referred = {(each.pointer, each.target) for each in record.references}
    body = msgspec.json.encode(record.body)
    is_telling = any(word in body for word in _TELLING)
    named = {*template_names(record.body), *_names(record)} if is_telling or record.kind == "work-pool" else set()
    for place, target in sorted(referred | named):
        kind = target.partition(":")[0]
        if kind in _READ_KINDS:
            yield target, Surface(record.key, place, f"destination-{kind}", _safe(target))
    if is_telling or _ID.search(body):
        yield from (("", Surface(record.key, *each)) for each in _templates_and_ids(record.body))


def _names(record: Record) -> Iterable[tuple[Pointer, Key]]:
    try:
        return tuple(KINDS[record.kind].names(record.body))
    except (AttributeError, LookupError, TypeError, ValueError):
        # Not what a body looks like; a server refuses it.
        return ()


def _templates_and_ids(body: Body) -> Iterator[tuple[Pointer, str, str]]:
    for pointer, part in walk(body):
        if isinstance(part, str) and len(part) > _SHORTEST:
            for name in _ENVIRONMENT.findall(part):
                yield pointer, "environment-template", _safe(name)
            if _ID_PLACE.search(pointer):
                yield from (
                    (pointer, "foreign-id", each.decode()) for each in _ID.findall(part.encode(errors="replace"))
                )


# Texts


@functools.lru_cache(maxsize=4096)
def _safe(text: str) -> str:
    """A text on one line, short, without what looks like a secret."""
    line = " ".join(text[:_READ].split())
    line = _TOLD.sub(r"\1***", _QUERY.sub(r"\1", _USER_INFORMATION.sub("", line)))
    line = " ".join("***" if any(suspects({"": word})) else word for word in line.split(" "))
    return line if len(line) <= _CHARACTERS else f"{line[:_CHARACTERS]}…"
