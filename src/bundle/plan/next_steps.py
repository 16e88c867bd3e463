"""What still needs a hand at a destination once a bundle is there, in the order in which to do it. Pure.

Found in the bodies of what is there, as the execution surface is; nothing is rendered, fetched or looked up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from bundle.kinds.runnable import as_object, safe
from bundle.model import Body, Finding, Key, Record
from bundle.plan.execution_surface import surfaces

NEXT_STEPS: Mapping[str, str] = {
    "supply-secrets": "supply the secrets: runs that use them fail until then",
    "start-worker": "start a worker for each pool, where its jobs are to run",
    "bring-code": "bring the code: these deployments run from a directory of the machine that deployed them",
    "check-path": "see that these directories are there, where runs use them",
    "check-image": "see that these images can be pulled where the runs are",
    "check-address": "see that these point to the right machines: they are in a private network, or the machine itself",
    "switch-on": "switch on what is to run: it, or a schedule of it, is off",
    "name-owner": "name the owners of these automations, if `prefect deploy` made them: the next one makes a second",
}

_PACKAGES = {
    "process": "prefect",
    "docker": "prefect-docker",
    "kubernetes": "prefect-kubernetes",
    "ecs": "prefect-aws",
    "cloud-run": "prefect-gcp",
    "cloud-run-v2": "prefect-gcp",
    "vertex-ai": "prefect-gcp",
    "azure-container-instance": "prefect-azure",
}
_WITHOUT_WORKER = (":push", ":managed")


class Matter(msgspec.Struct, frozen=True):
    """One resource of a step, and what is to be known of it."""

    key: Key
    detail: str = ""


class NextStep(msgspec.Struct, frozen=True):
    """Something to do by hand; ``code`` is one of ``NEXT_STEPS``, ``command`` what to type, if anything."""

    code: str
    matters: tuple[Matter, ...]
    command: str = ""


def next_steps(records: Iterable[Record], findings: Iterable[Finding]) -> tuple[NextStep, ...]:
    """The steps for what is at a destination; without its secrets, of which only the run knows."""
    matters: dict[str, list[Matter]] = defaultdict(list)
    there = {record.key: record for record in records}
    for record in there.values():
        for code, detail in _of_record(record):
            matters[code].append(Matter(record.key, safe(detail)))
    for each in surfaces(there.values()).entries:
        if each.what == "private-url":
            matters["check-address"].append(Matter(each.key, each.text))
    for finding in findings:
        if finding.code == "ambiguous-owner" and _is_unowned(there.get(finding.key)):
            matters["name-owner"].append(Matter(finding.key, finding.detail))
    return tuple(
        NextStep(code, tuple(matters[code]), _command(code, matters[code])) for code in NEXT_STEPS if matters[code]
    )


def _is_unowned(automation: Record | None) -> bool:
    return automation is not None and "owner_resource" not in automation.body


def _command(code: str, matters: list[Matter]) -> str:
    if code == "start-worker":
        return "prefect worker start --pool NAME"
    if code == "name-owner":
        return f"--owner '{matters[0].key}={matters[0].detail or 'deployment:FLOW/NAME'}'"
    return ""


def _of_record(record: Record) -> Iterator[tuple[str, str]]:
    found: Callable[[Body], Iterator[tuple[str, str]]] | None = _BY_KIND.get(record.kind)
    if found is not None:
        yield from found(record.body)


def _of_pool(body: Body) -> Iterator[tuple[str, str]]:
    kind = str(body.get("type"))
    if not kind.endswith(_WITHOUT_WORKER) and kind != "prefect-agent":
        yield "start-worker", f"{kind}, package {_PACKAGES.get(kind, 'of its own')}"


def _of_deployment(body: Body) -> Iterator[tuple[str, str]]:
    steps, variables = body.get("pull_steps"), as_object(body.get("job_variables"))
    if not variables.get("image") and not body.get("storage_document_id"):
        directories = [
            str(as_object(inputs).get("directory"))
            for step in (steps if isinstance(steps, list) else ())
            for name, inputs in as_object(step).items()
            if name.endswith("set_working_directory")
        ]
        path = str(body.get("path") or "")
        if directories or (not steps and path.startswith("/")):
            yield "bring-code", directories[0] if directories else path
    if isinstance(variables.get("image"), str):
        yield "check-image", variables["image"]
    schedules = body.get("schedules")
    is_off = any(not as_object(each).get("active") for each in (schedules if isinstance(schedules, list) else ()))
    if body.get("paused") or is_off:
        yield "switch-on", "paused" if body.get("paused") else "a schedule"


def _of_block(body: Body) -> Iterator[tuple[str, str]]:
    path = as_object(body.get("data")).get("basepath")
    if isinstance(path, str) and path.startswith(("/", "~")):
        yield "check-path", path


def _of_automation(body: Body) -> Iterator[tuple[str, str]]:
    if body.get("enabled") is False:
        yield "switch-on", "disabled"


_BY_KIND: Mapping[str, Callable[[Body], Iterator[tuple[str, str]]]] = {
    "work-pool": _of_pool,
    "deployment": _of_deployment,
    "block": _of_block,
    "automation": _of_automation,
}
