"""Compares two Prefect servers over the API, without anything of the package.

``compare`` reads everything of both, names every object by what people call
it, replaces every id by that name, drops what a server decides by itself, and
lists what is left of a difference. What no transfer can or should carry is
left out: built-in block types, anonymous documents that nothing refers to,
limits of deployments that are gone, and the secrets' values.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Literal

import httpx

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

Json = Any
Body = dict[str, Any]
Secrets = Literal["masked", "ignored", "revealed"]

MASK = "********"
UUID = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|(?<![0-9a-zA-Z])[0-9a-fA-F]{32}(?![0-9a-zA-Z])"
)
SHOWN_LENGTH = 160

SERVER_DECIDES = {
    "id",
    "created",
    "updated",
    "created_by",
    "updated_by",
    "last_polled",
    "status",
    "active_slots",
    "denied_slots",
    "is_protected",
}

BUILT_IN = {
    "aws-credentials",
    "aws-secret",
    "azure-blob-storage-container",
    "azure-blob-storage-credentials",
    "azure-container-instance-credentials",
    "azure-cosmos-db-credentials",
    "azureml-credentials",
    "bigquery-warehouse",
    "bitbucket-credentials",
    "bitbucket-repository",
    "custom-webhook",
    "database-credentials",
    "databricks-credentials",
    "discord-webhook",
    "docker-host",
    "docker-registry-credentials",
    "email-server-credentials",
    "gcp-credentials",
    "gcs-bucket",
    "gcpsecret",
    "github-credentials",
    "github-repository",
    "gitlab-credentials",
    "gitlab-repository",
    "kubernetes-cluster-config",
    "kubernetes-credentials",
    "lambda-function",
    "local-file-system",
    "mattermost-webhook",
    "ms-teams-webhook",
    "minio-credentials",
    "opsgenie-webhook",
    "pager-duty-webhook",
    "remote-file-system",
    "s3-bucket",
    "smb",
    "sqlalchemy-connector",
    "secret",
    "sendgrid-email",
    "shell-operation",
    "slack-credentials",
    "slack-webhook",
    "snowflake-connector",
    "snowflake-credentials",
    "twilio-sms",
    "webhook",
    "dbt-cli-bigquery-target-configs",
    "dbt-cli-global-configs",
    "dbt-cli-postgres-target-configs",
    "dbt-cli-profile",
    "dbt-cli-snowflake-target-configs",
    "dbt-cli-target-configs",
    "dbt-cloud-credentials",
    "dbt-core-operation",
}


@dataclass
class Snapshot:
    """Everything of one server: raw rows, what each id is called, and comparable bodies by key."""

    rows: dict[str, list[Body]]
    related: dict[str, list[str]]
    storage: Json
    secrets: Secrets
    names: dict[str, str] = field(default_factory=dict)
    bodies: dict[str, list[Body]] = field(default_factory=lambda: defaultdict(list))


def compare(url_a: str, url_b: str, *, ignore: Collection[str] = (), secrets: Secrets = "masked") -> list[str]:
    """What differs, one line each, source ``url_a`` first; empty when nothing does.

    ``ignore`` are patterns (``fnmatch``) for the part of a line before its ``": "``: key, space, JSON Pointer, such as
    ``automation:owned *`` or ``deployment:* /schedules/*``. ``secrets``: ``masked`` compares only whether a secret is
    there, ``ignored`` leaves their places out, ``revealed`` compares the values.
    """
    with ThreadPoolExecutor(2) as pool:
        source, destination = pool.map(lambda url: snapshot(url, secrets=secrets), (url_a, url_b))
    lines = [*differences(source, destination), *leftovers(source, destination)]
    return [line for line in lines if not any(fnmatchcase(line.partition(": ")[0], pattern) for pattern in ignore)]


def snapshot(url: str, *, secrets: Secrets = "masked") -> Snapshot:
    """Read a server and make it comparable."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as http:
        rows = {kind: list(read_all(http, path, body)) for kind, (path, body) in PATHS.items()}
        hidden = {"block_documents": {"is_anonymous": None}, "include_secrets": secrets == "revealed"}
        rows["block"] = list(read_all(http, "/block_documents/filter", hidden))
        ids = [row["id"] for row in rows["deployment"]]
        related = {
            each: [row["id"] for row in get(http, f"/automations/related-to/prefect.deployment.{each}") or ()]
            for each in ids
        }
        rows["limit"] += older_tag_limits(rows["limit"], list(read_all(http, "/concurrency_limits/filter", {})))
        made = Snapshot(rows, related, get(http, "/admin/storage"), secrets)
    name_everything(made)
    describe_everything(made)
    return made


PATHS: dict[str, tuple[str, Body]] = {
    "flow": ("/flows/filter", {"sort": "CREATED_DESC"}),
    "deployment": ("/deployments/filter", {"sort": "CREATED_DESC"}),
    "work-pool": ("/work_pools/filter", {}),
    "work-queue": ("/work_queues/filter", {}),
    "block-type": ("/block_types/filter", {}),
    "block-schema": ("/block_schemas/filter", {}),
    "variable": ("/variables/filter", {"sort": "CREATED_DESC"}),
    "limit": ("/v2/concurrency_limits/filter", {}),
    "automation": ("/automations/filter", {"sort": "CREATED_DESC"}),
    "saved-search": ("/saved_searches/filter", {}),
}


def older_tag_limits(limits: list[Body], tags: list[Body]) -> list[Body]:
    """Tag limits of servers before 3.4.19, as later ones write them."""
    known = {row["name"] for row in limits}
    usual = {"active": True, "slot_decay_per_second": 0.0}
    rows = [{"id": row["id"], "name": f"tag:{row['tag']}", "limit": row["concurrency_limit"]} | usual for row in tags]
    return [row for row in rows if row["name"] not in known]


def get(http: httpx.Client, path: str) -> Json:
    """None where an older server has no such route."""
    answer = http.get(path)
    return None if answer.status_code == httpx.codes.NOT_FOUND else answer.raise_for_status().json()


def read_all(http: httpx.Client, path: str, body: Body) -> Iterator[Body]:
    """Every row once, page by page until an empty one; none where an older server has no such route."""
    seen: set[str] = set()
    offset = 0
    if http.post(path, json=body).status_code == httpx.codes.NOT_FOUND:
        return
    while page := http.post(path, json={**body, "offset": offset}).raise_for_status().json():
        offset += len(page)
        yield from (row for row in page if row["id"] not in seen)
        seen |= {row["id"] for row in page}


# --- what everything is called


def name_everything(made: Snapshot) -> None:
    """Fill ``names``: id to readable name, in an order in which each name can use the ones before."""
    names = made.names
    for kind in ("flow", "work-pool", "variable", "saved-search"):
        names.update({row["id"]: f"{kind}:{row['name']}" for row in made.rows[kind]})
    names.update({row["id"]: f"block-type:{row['slug']}" for row in made.rows["block-type"]})
    for row in made.rows["deployment"]:
        names[row["id"]] = f"deployment:{names[row['flow_id']].removeprefix('flow:')}/{row['name']}"
    for row in made.rows["work-queue"]:
        names[row["id"]] = f"work-queue:{names[row['work_pool_id']].removeprefix('work-pool:')}/{row['name']}"
    for row in made.rows["limit"]:
        names[row["id"]] = "limit:" + substitute(row["name"], names)
    for row in made.rows["block-schema"]:
        names[row["id"]] = f"block-schema:{row['block_type']['slug']}#{digest(schema_body(row))}"
    for row in made.rows["block"]:
        if not row["is_anonymous"]:
            names[row["id"]] = f"block:{row['block_type']['slug']}/{row['name']}"
    name_anonymous_blocks(made)
    for row in made.rows["automation"]:
        blank = {other["id"]: "automation" for other in made.rows["automation"]}
        names[row["id"]] = f"automation:{substitute(row['name'], names)}#{digest(automation_body(row, names | blank))}"


def name_anonymous_blocks(made: Snapshot) -> None:
    """Call each anonymous document after its content, the innermost first."""
    left = [row for row in made.rows["block"] if row["is_anonymous"]]
    while left:
        ready = [row for row in left if not child_ids(row) - made.names.keys()]
        for row in ready:
            made.names[row["id"]] = f"block:{row['block_type']['slug']}/anonymous#{digest(block_body(row, made))}"
        left = [row for row in left if row["id"] not in made.names]
        if not ready:
            raise AssertionError(f"anonymous documents refer to each other in a circle: {[row['id'] for row in left]}")


def child_ids(row: Body) -> set[str]:
    return {each["block_document"]["id"] for each in row["block_document_references"].values()}


def substitute(value: Json, names: dict[str, str]) -> Json:
    """Every known id, wherever in a string, becomes its name in angle brackets."""
    if isinstance(value, str):
        return UUID.sub(lambda match: bracket(match.group(), names), value)
    if isinstance(value, list):
        return [substitute(each, names) for each in value]
    if isinstance(value, dict):
        return {substitute(key, names): substitute(each, names) for key, each in value.items()}
    return value


def bracket(found: str, names: dict[str, str]) -> str:
    name = names.get(dashed(found))
    return f"<{name}>" if name else found


def dashed(found: str) -> str:
    plain = found.replace("-", "").lower()
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))


def digest(body: Json) -> str:
    return hashlib.sha256(canonical(body).encode()).hexdigest()[:10]


def canonical(body: Json) -> str:
    return json.dumps(body, sort_keys=True, ensure_ascii=False)


# --- what is compared


def describe_everything(made: Snapshot) -> None:
    """Fill ``bodies``: comparable bodies by key; several where a key is not unique."""
    reachable = reachable_ids(made)
    for kind, describe in DESCRIBE.items():
        for row in made.rows[kind]:
            body = describe(row, made)
            if body is not None and (kind != "block" or row["id"] in reachable):
                made.bodies[key_of(kind, row, made)].append(body)
    if any((made.storage or {}).values()):
        made.bodies["default-result-storage"].append(substitute(made.storage, made.names))


def key_of(kind: str, row: Body, made: Snapshot) -> str:
    name = made.names[row["id"]]
    return name.partition("#")[0] if kind in ("automation", "block-schema") else name


def reachable_ids(made: Snapshot) -> set[str]:
    """Named documents, and the anonymous ones that anything transferable refers to."""
    blocks = {row["id"]: row for row in made.rows["block"]}
    reached = {each for each, row in blocks.items() if not row["is_anonymous"]}
    others = [rows for kind, rows in made.rows.items() if kind != "block"]
    reached |= {dashed(found) for found in UUID.findall(json.dumps([others, made.storage]))} & blocks.keys()
    todo = list(reached)
    while todo:
        row = blocks[todo.pop()]
        found = {dashed(each) for each in UUID.findall(json.dumps(row["data"]))} | child_ids(row)
        new = found & blocks.keys() - reached
        reached |= new
        todo += new
    return reached


def trim(row: Body, *drop: str) -> Body:
    return {key: value for key, value in row.items() if key not in SERVER_DECIDES and key not in drop}


def own_labels(labels: Body | None) -> Body:
    return {key: value for key, value in (labels or {}).items() if not key.startswith("prefect.")}


def plain_body(row: Body, made: Snapshot) -> Body:
    body: Body = substitute(trim(row), made.names)
    return body


def flow_body(row: Body, made: Snapshot) -> Body:
    return plain_body({**row, "labels": own_labels(row.get("labels"))}, made)


def deployment_body(row: Body, made: Snapshot) -> Body:
    schedules = [trim(each, "deployment_id") for each in row["schedules"]]
    if "infra_overrides" in row:  # before 3.0
        row = {**row, "job_variables": row["infra_overrides"]}
    body = {
        **trim(row, "infra_overrides"),
        "labels": own_labels(row.get("labels")),
        "schedules": sorted(substitute(schedules, made.names), key=canonical),
        "global_concurrency_limit": limit_of(row),
        "related automations": sorted(made.names[each].partition("#")[0] for each in made.related[row["id"]]),
    }
    replaced: Body = substitute(body, made.names)
    return replaced


def limit_of(row: Body) -> Json:
    """The limit a deployment shares, by name, or its own, by content."""
    limit = row.get("global_concurrency_limit")
    if limit is None:
        return None
    is_own = limit["name"] == f"deployment:{row['id']}"
    return {"own": trim(limit, "name")} if is_own else {"shared": limit["name"]}


def limit_body(row: Body, made: Snapshot) -> Body | None:
    """None for the limit of a deployment: it is told with the deployment, or the deployment is gone."""
    is_own = re.fullmatch(f"deployment:(?:{UUID.pattern})", row["name"])
    return None if is_own else plain_body(row, made)


def block_type_body(row: Body, made: Snapshot) -> Body | None:
    return None if row["slug"] in BUILT_IN else plain_body(row, made)


def comparable_schema(row: Body, made: Snapshot) -> Body | None:
    """None for a built-in: those that documents use are told with the documents."""
    return None if row["block_type"]["slug"] in BUILT_IN else substitute(schema_body(row), made.names)


def schema_body(row: Body) -> Body:
    """A schema without its ids and without checksums, which a union in another order would change."""
    return {
        "fields": without_checksums(row["fields"]),
        "capabilities": sorted(row["capabilities"]),
        "version": row["version"],
        "type": row["block_type"]["slug"],
    }


def without_checksums(value: Json) -> Json:
    if isinstance(value, list):
        return [without_checksums(each) for each in value]
    if not isinstance(value, dict):
        return value
    made = {key: without_checksums(each) for key, each in value.items()}
    if isinstance(value.get("secret_fields"), list):
        made["secret_fields"] = sorted(set(value["secret_fields"]))
    if isinstance(value.get("block_schema_references"), dict):
        made["block_schema_references"] = {
            key: sorted(each["block_type_slug"] for each in (found if isinstance(found, list) else [found]))
            for key, found in value["block_schema_references"].items()
        }
    return made


def block_body(row: Body, made: Snapshot) -> Body:
    """A document: nested ones by name, secrets as ``Snapshot.secrets`` says, its schema by content."""
    data = dict(row["data"])
    for key, found in row["block_document_references"].items():
        data[key] = f"<{made.names[found['block_document']['id']]}>"
    if made.secrets != "revealed":
        for path in secret_paths(row["block_schema"]["fields"]):
            data = hide(data, path, drop=made.secrets == "ignored")
    body = {
        "data": data,
        "is_anonymous": row["is_anonymous"],
        "schema": made.names[row["block_schema_id"]],
        "type": row["block_type"]["slug"],
    }
    replaced: Body = substitute(body, made.names)
    return replaced


def automation_body(row: Body, names: dict[str, str]) -> Body:
    body: Body = substitute({**trim(row), "trigger": trigger_body(row["trigger"])}, names)
    return body


def trigger_body(trigger: Body) -> Body:
    """A trigger without its id, and with its sets in order."""
    body = {key: value for key, value in trigger.items() if key != "id"}
    for key in ("after", "expect", "for_each"):
        if key in body:
            body[key] = sorted(body[key])
    if "triggers" in body:
        body["triggers"] = [trigger_body(each) for each in body["triggers"]]
    return body


DESCRIBE: dict[str, Callable[[Body, Snapshot], Body | None]] = {
    "flow": flow_body,
    "deployment": deployment_body,
    "work-pool": plain_body,
    "work-queue": plain_body,
    "block-type": block_type_body,
    "block-schema": comparable_schema,
    "block": block_body,
    "variable": plain_body,
    "limit": limit_body,
    "automation": lambda row, made: automation_body(row, made.names),
    "saved-search": plain_body,
}


# --- secrets


def secret_paths(fields: Body) -> set[tuple[str, ...]]:
    """Where a schema says that secrets are: paths of keys, without the places in lists."""
    listed = {tuple(each.removesuffix(".*").removesuffix("*").split(".")) for each in fields.get("secret_fields", [])}
    return listed | set(marked_paths(fields, fields.get("definitions", {}), ()))


def marked_paths(schema: Json, definitions: Body, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Paths of the properties that are passwords or write-only."""
    if not isinstance(schema, dict) or len(path) > 8:
        return
    if path and (schema.get("format") == "password" or schema.get("writeOnly") is True):
        yield path
    target = str(schema.get("$ref", "")).rpartition("/")[2]
    if target in definitions and "block_type_slug" not in definitions[target]:
        yield from marked_paths(definitions[target], definitions, path)
    for each in (*schema.get("anyOf", ()), *schema.get("allOf", ()), *schema.get("oneOf", ()), schema.get("items")):
        yield from marked_paths(each, definitions, path)
    for key, each in schema.get("properties", {}).items():
        yield from marked_paths(each, definitions, (*path, key))


def hide(value: Json, path: tuple[str, ...], *, drop: bool) -> Json:
    """``value`` with what stands at ``path`` masked or dropped; lists on the way are walked through."""
    if isinstance(value, list) and path:
        return [hide(each, path, drop=drop) for each in value]
    if not path:
        return value if value is None else MASK
    if not isinstance(value, dict) or path[0] not in value:
        return value
    if drop and len(path) == 1:
        return {key: each for key, each in value.items() if key != path[0]}
    return {**value, path[0]: hide(value[path[0]], path[1:], drop=drop)}


# --- differences


def differences(source: Snapshot, destination: Snapshot) -> Iterator[str]:
    """Keys that one side lacks, and fields that differ."""
    for key in sorted(source.bodies.keys() | destination.bodies.keys()):
        left, right = unequal(source.bodies.get(key, []), destination.bodies.get(key, []))
        for one, other in zip(left, right, strict=False):
            yield from (f"{key} {line}" for line in compare_values(one, other, ""))
        for _ in left[len(right) :]:
            yield f"{key} : missing at the destination"
        for _ in right[len(left) :]:
            yield f"{key} : only at the destination"


def unequal(left: list[Body], right: list[Body]) -> tuple[list[Body], list[Body]]:
    """What remains of both when equal bodies are paired off."""
    first, second = Counter(map(canonical, left)), Counter(map(canonical, right))
    return decoded(first - second), decoded(second - first)


def decoded(bodies: Counter[str]) -> list[Body]:
    return [json.loads(each) for each in sorted(bodies.elements())]


def compare_values(one: Json, other: Json, pointer: str) -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted(one.keys() | other.keys()):
            place = f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}"
            if key in one and key in other:
                yield from compare_values(one[key], other[key], place)
            else:
                yield f"{place}: {shown(one, key)} != {shown(other, key)}"
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from compare_values(first, second, f"{pointer}/{number}")
    elif canonical(one) != canonical(other):
        yield f"{pointer}: {short(one)} != {short(other)}"


def shown(body: Body, key: str) -> str:
    return short(body[key]) if key in body else "(absent)"


def short(value: Json) -> str:
    text = canonical(value)
    return text if len(text) <= SHOWN_LENGTH else f"{text[:SHOWN_LENGTH]}… ({len(text)})"


def leftovers(source: Snapshot, destination: Snapshot) -> Iterator[str]:
    """Ids of objects of the source that stand anywhere in the destination."""
    foreign = known_ids(source) - known_ids(destination)
    for kind, rows in destination.rows.items():
        for row in rows:
            for found in sorted({dashed(each) for each in UUID.findall(json.dumps(row))} & foreign):
                holder = destination.names[row["id"]].partition("#")[0]
                name = source.names.get(found, "an object without a name")
                yield f"{holder} : holds the source's id of {name}, {found} ({kind})"
    for found in {dashed(each) for each in UUID.findall(json.dumps(destination.storage))} & foreign:
        yield f"default-result-storage : holds the source's id {found}"


def known_ids(made: Snapshot) -> set[str]:
    """Ids of everything there is, and of the rows below: schedules and triggers."""
    return set(made.names) | set(inner_ids([made.rows["deployment"], made.rows["automation"]]))


def inner_ids(value: Json) -> Iterable[str]:
    if isinstance(value, list):
        for each in value:
            yield from inner_ids(each)
    elif isinstance(value, dict):
        if (
            isinstance(value.get("id"), str)
            and UUID.fullmatch(value["id"])
            and ("schedule" in value or "posture" in value)
        ):
            yield value["id"]
        for each in value.values():
            yield from inner_ids(each)
