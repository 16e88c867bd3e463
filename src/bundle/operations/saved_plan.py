"""A plan on paper: what was shown to a person, kept so that an import does that or nothing.

A saved plan has, for each record of a bundle, what is to be done, and the digests of what the plan was made
from: of the record as it is wanted, and of what the destination had. An import with it is planned anew, and
refused unless both agree; so a bundle, an overlay, a policy or a destination that is not the reviewed one writes
nothing. What an interrupted import of the same plan has done is no difference. Secrets may be supplied later:
whether they are is not part of a plan.

Pure, but for reading and writing the file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from bundle.errors import BundleError, Conflict, listed
from bundle.files import LIMITS, atomic, input_errors, read_whole
from bundle.model import Key, Manifest
from bundle.operations.import_ import Prepared
from bundle.plan.actions import Action, Verb
from bundle.plan.server_state import ServerState, server_of, what_moved
from bundle.record.canonical import encode, sha256_hex
from bundle.record.weight import weight

VERSION = "1.1"


class Step(msgspec.Struct, frozen=True):
    """What is to be done with one resource; ``wanted`` and ``found`` are digests of both sides, null for nothing."""

    key: Key
    action: Verb
    wanted: str
    found: str | None
    id: str | None = None


class SavedPlan(msgspec.Struct, frozen=True):
    """A plan for one bundle (``content_digest``) and one destination (its API URL).

    ``state`` is the digest of all steps, to name the plan by. One that was made without a connection has ``state:`` and
    the content digest of a state as destination, no ids, and since 1.1 ``server``: what that server offered.
    """

    xfer_plan: str
    content_digest: str
    destination: str
    state: str
    steps: tuple[Step, ...]
    server: ServerState | None = None


def made_from(prepared: Prepared, destination: str) -> SavedPlan:
    """The plan of an import that was prepared."""
    steps = tuple(_steps(prepared))
    digest = prepared.bundle.manifest.content_digest
    return SavedPlan(VERSION, digest, destination, sha256_hex(encode(steps)), steps)


def made_offline(prepared: Prepared, state: Manifest) -> SavedPlan:
    """The plan of an import that was prepared against a state."""
    plan = made_from(prepared, f"state:{state.content_digest}")
    steps = tuple(msgspec.structs.replace(step, id=None) for step in plan.steps)
    return msgspec.structs.replace(plan, steps=steps, state=sha256_hex(encode(steps)), server=server_of(state))


def _steps(prepared: Prepared) -> Iterator[Step]:
    wanted = {record.key: record.digest for record in prepared.records}
    keys = prepared.destination.keys
    for action in prepared.plan.actions:
        key = keys.get(action.id or "")
        found = prepared.destination.records[key].digest if key is not None else None
        yield Step(action.key, _verb(action), wanted[action.key], found, action.id)


def _verb(action: Action) -> Verb:
    # Supplied secrets take the place of markers; that is what markers are for.
    return "skip" if action.verb == "fill" else action.verb


def write(plan: SavedPlan, path: Path, *, force: bool) -> None:
    """Write a plan to a file, mode 0600.

    Raises:
        OutputError: it cannot be written, or is there and ``force`` is not given.
    """
    with atomic(path, force=force) as file:
        file.write(as_bytes(plan))


def as_bytes(plan: SavedPlan) -> bytes:
    """A plan as a file has it."""
    return msgspec.json.format(encode(plan), indent=1) + b"\n"


def read(path: Path) -> SavedPlan:
    """Read a plan from a file.

    Raises:
        BundleError: there is no such file, or it is not a plan of a known version.
    """
    return parse(bytes_of(path, str(path)), str(path))


def bytes_of(source: Path | BinaryIO, name: str) -> bytes:
    """The bytes of a plan; ``name`` is what it is called in messages.

    Raises:
        BundleError: it cannot be read, or is larger than a plan may be.
    """
    hint = "check the name of the plan"
    with input_errors(name, BundleError, hint=hint):
        data = read_whole(source, LIMITS.plan_bytes)
    if weight(data) > LIMITS.memory_bytes:
        raise BundleError(f"{name}: cannot be read: it holds too many values", hint=hint)
    return data


def parse(data: bytes, path: str) -> SavedPlan:
    """A plan from the bytes of a file; ``path`` names it in messages.

    Raises:
        BundleError: it is not a plan of a known version.
    """
    again = "make one with `xfer plan FILE --to DESTINATION -o PLAN`"
    try:
        plan = msgspec.json.decode(data, type=SavedPlan)
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not a plan of xfer", hint=again) from error
    if plan.xfer_plan.partition(".")[0] != VERSION.partition(".")[0]:
        raise BundleError(f"{path}: a plan of version {plan.xfer_plan} needs a newer xfer", hint="upgrade xfer")
    if sha256_hex(encode(plan.steps)) != plan.state:
        raise BundleError(f"{path}: the plan was changed after it was saved", hint=again)
    return plan


def check(saved: SavedPlan, prepared: Prepared, destination: str, server: ServerState | None = None) -> None:
    """Refuse unless bundle and destination still are what was planned.

    ``server`` is what the destination offers; needed for a plan that was made against a state.

    Raises:
        Conflict: they are not; the message says what changed.
    """
    now = made_from(prepared, destination)
    hint = "review the plan again: `xfer plan`, with the same options as the import"
    if saved.server is not None and server is not None:
        moved = what_moved(saved.server, server)
        if moved:
            raise Conflict(f"the destination is not that of the plan any more: {'; '.join(moved)}", hint=hint)
        unnamed = tuple(msgspec.structs.replace(step, id=None) for step in now.steps)
        now = msgspec.structs.replace(now, destination=saved.destination, steps=unnamed)
    if saved.destination != now.destination:
        raise Conflict(f"the plan is for {saved.destination}, not for {now.destination}", hint=hint)
    if saved.content_digest != now.content_digest:
        raise Conflict("the plan was made for another bundle", hint=hint)
    begun = {each.key for each in prepared.plan.actions if each.reason in {"exists-same", "completed"}}
    changed = list(_changed(saved, now, begun))
    if changed:
        raise Conflict(f"changed since the plan: {listed(changed)}", hint=hint)


def _changed(saved: SavedPlan, now: SavedPlan, begun: Collection[Key]) -> Iterator[str]:
    planned = {step.key: step for step in saved.steps}
    for step in now.steps:
        before = planned.pop(step.key, None)
        if before != step and not _is_progress(before, step, begun):
            yield f"{step.key} ({_what_changed(before, step)})"
    yield from (f"{key} (not wanted any more)" for key in planned)


def _is_progress(before: Step | None, now: Step, begun: Collection[Key]) -> bool:
    """Whether an import of the same plan was interrupted: what it was to write is there, or half there."""
    return before is not None and before.action != "skip" and before.wanted == now.wanted and now.key in begun


def _what_changed(before: Step | None, now: Step) -> str:
    if before is None:
        return "not planned"
    if before.wanted != now.wanted:
        return "wanted otherwise"
    if before.found != now.found or before.id != now.id:
        return "changed at the destination" if before.found and now.found else "made" if now.found else "deleted"
    return f"{now.action} instead of {before.action}"
