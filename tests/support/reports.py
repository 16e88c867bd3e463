"""Reports of made-up imports: manifests, actions and outcomes in a word each."""

from __future__ import annotations

from typing import Any

from bundle.apply.outcomes import Outcome
from bundle.model import Count, Manifest, Member, SecretSlot, Wave
from bundle.plan.actions import Action, Plan
from bundle.report import import_, text
from bundle.report.model import Report, Side
from bundle.report.records import Subject

DESTINATION = Side("prod", "http://prod.test/api")


SLOT = SecretSlot("block:secret/db#/data/value", "block:secret/db", "/data/value", "string")


def manifest(*keys: str, **fields: Any) -> Manifest:
    """A manifest that says these keys are inside."""
    kinds: dict[str, int] = {}
    for key in keys:
        kind = key.partition(":")[0]
        kinds[kind] = kinds.get(kind, 0) + 1
    members = tuple(
        Member(f"resources/000-{kind}-0001.ndjson", kind, 0, count, 1, "0" * 64) for kind, count in kinds.items()
    )
    known = {
        "format": "1.0",
        "requires": (),
        "content_digest": "0" * 64,
        "census": {kind: Count(count, count, 0) for kind, count in kinds.items()},
        "members": members,
        "order": (Wave(0, tuple(kinds), len(keys)),),
        "secrets": (),
        "left_out": (),
        "findings": (),
        "selection": {},
        "provenance": {"source": "http://a.test/api"},
    }
    return Manifest(**{**known, **fields})


def outcome(key: str, state: Any, reason: str, **more: Any) -> Outcome:
    return Outcome(key, key.partition(":")[0], state, reason, **more)


def action(key: str, verb: Any = "create", reason: str = "created", **more: Any) -> Action:
    return Action(key, key.partition(":")[0], verb, reason, **more)


def imported(*outcomes: Outcome, keys: tuple[str, ...] | None = None, **fields: Any) -> Report:
    """The report of an import of exactly these outcomes, or of a bundle with other ``keys``."""
    stored = manifest(*(keys or [each.key for each in outcomes]), **fields)
    actions = Plan(tuple(action(each.key) for each in outcomes))
    return import_.report(Subject("import", stored, "env.pxb", DESTINATION), actions, outcomes)


def last_line(report: Report) -> str:
    return text.render(report).splitlines()[-1]
