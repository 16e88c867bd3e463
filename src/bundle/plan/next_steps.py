"""What still needs a hand at a destination once a bundle is there, in the order in which to do it. Pure.

Found in the bodies of what is there, as the execution surface is; nothing is rendered, fetched or looked up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from bundle.kinds import KINDS
from bundle.kinds.automation_owners import OWNER
from bundle.kinds.runnable import safe
from bundle.model import Finding, Key, Record
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
        for code, detail in KINDS[record.kind].by_hand(record.body):
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
    return automation is not None and OWNER not in automation.body


def _command(code: str, matters: list[Matter]) -> str:
    if code == "start-worker":
        return "prefect worker start --pool NAME"
    if code == "name-owner":
        return f"--owner '{matters[0].key}={matters[0].detail or 'deployment:FLOW/NAME'}'"
    return ""
