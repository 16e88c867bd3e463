"""The report of a command: the document that ``--json`` prints, and what the text is made from.

A published contract (``schemas/report-1.schema.json``): members may be added, none is taken away
or changes its meaning. Every member is always there; what a command has nothing to say about is
empty or null.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from bundle.apply.outcomes import State
from bundle.archive.faults import Fault
from bundle.model import Finding, Json, Key, LeftOut, Pointer, Wave
from bundle.operations.inventory import Estimate
from bundle.operations.preflight import Check
from bundle.plan import actions as plan_actions
from bundle.plan.execution_surface import Surfaces
from bundle.plan.next_steps import NextStep
from bundle.trust.verdict import Verdict

REPORT_VERSION = "1.0"

Verb = Literal[plan_actions.Verb, "delete", "restore", "add", "remove", "change", "keep", "switch"]
SlotState = Literal["placeholder", "supplied", "outstanding", "kept"]


class Problem(msgspec.Struct, frozen=True):
    """Why a command did not do what was asked.

    ``code`` names the kind of error and ``reason``, where it has several, which of them; ``hint`` says what to do next.
    """

    code: str
    message: str
    hint: str
    reason: str | None = None


class Side(msgspec.Struct, frozen=True):
    """A server: the name it was given on the command line, and its API URL without credentials."""

    name: str
    url: str


class Contents(msgspec.Struct, frozen=True):
    """The bundle that was written or read; ``file`` is ``-`` for standard input and output."""

    file: str | None
    format: str
    content_digest: str
    provenance: dict[str, Json]
    selection: dict[str, Json]
    waves: tuple[Wave, ...]


class FieldDifference(msgspec.Struct, frozen=True):
    """One place where bundle and destination differ; ``is_hidden``: a value looks like a secret and is left out.

    Of something that is switched, ``bundle`` is the value that is set and ``destination`` the one before.
    """

    pointer: Pointer
    bundle: Json
    destination: Json
    is_hidden: bool = False


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a bundle: what is planned (``action``), how it ended (``state``), and why (``reason``).

    ``unchangeable`` are those of the differences that no update can write.
    """

    key: Key
    kind: str
    action: Verb
    state: State | None
    reason: str
    detail: str = ""
    waits_for: tuple[Key, ...] = ()
    missing_secrets: tuple[str, ...] = ()
    dropped_fields: tuple[str, ...] = ()
    differences: tuple[FieldDifference, ...] = ()
    unchangeable: tuple[Pointer, ...] = ()


class NextRuns(msgspec.Struct, frozen=True):
    """When a schedule of a deployment fires next: ISO 8601 in its own time zone; null where that is not known."""

    key: Key
    schedule: str
    times: tuple[str, ...] | None


class Slot(msgspec.Struct, frozen=True):
    """A secret that is not in the bundle.

    ``placeholder``: it is to be supplied at import. ``supplied``: it was. ``outstanding``: the
    destination holds a marker in its place, or nothing at all. ``kept``: the destination had the
    resource before, and keeps the value that it has.
    """

    slot: str
    resource: Key
    type: str
    variable: str
    state: SlotState


class Connection(msgspec.Struct, frozen=True, kw_only=True):
    """What a profile would connect to, without any secret.

    ``url`` is the API URL; of a profile whose server is ``started`` for each command, where its data
    is; null where the profile names no server, and ``problem`` says why. ``headers`` are the names
    of its custom headers, ``proxy`` is the host of the proxy on the way.
    """

    name: str
    is_active: bool
    defined_in: str
    url: str | None
    server: Literal["self-hosted", "cloud", "started", "none"]
    auth: Literal["none", "bearer", "basic"]
    tls: Literal["none", "verified", "unverified"]
    ca_file: str | None = None
    headers: tuple[str, ...] = ()
    proxy: str | None = None
    problem: Problem | None = None


class SnapshotRow(msgspec.Struct, frozen=True, kw_only=True):
    """A snapshot in a store; times are ISO 8601, ``time`` by the store's clock, ``size`` in bytes of its bundle.

    ``same_as`` is the id of the one whose bundle it shares, ``signers`` are its signature files, ``pinned`` the reason
    of its pin. ``checked`` and ``drilled`` say when it was last read whole, and imported and compared, without a fault.
    ``changed``: its content differs from that of the one before.
    """

    id: str
    name: str
    time: str
    resources: int
    size: int
    complete: bool
    changed: bool
    same_as: str | None = None
    signers: tuple[str, ...] = ()
    pinned: str | None = None
    checked: str | None = None
    drilled: str | None = None


class Retained(msgspec.Struct, frozen=True):
    """A snapshot that is kept or removed, and every reason for it."""

    id: str
    reasons: tuple[str, ...]


class HistoryStep(msgspec.Struct, frozen=True):
    """What changed with one snapshot, against the one before it."""

    id: str
    time: str
    resources: tuple[Resource, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one command did.

    ``summary`` counts resources: always ``total`` and ``accounted_for``, and one member for each
    state, action or fate that the command knows. ``kinds`` has the same counts for each kind.
    ``inert``: what was made was made switched off. ``next_runs``: of what is switched on.
    ``signatures``: who vouches for the bundle; null if it is not signed, and nobody asked.
    ``approved_by``: the people whose approvals counted, where some were required.
    ``written``: the files that were written, where that is all there is to say.
    ``next_steps``: what still needs a hand, in the order in which to do it.
    ``surface``: what the bundle would run and read, for a plan what its writes would; null elsewhere.
    For ``check``, ``kinds`` has what each server holds of each kind.
    """

    command: str
    exit_code: int
    ok: bool
    error: Problem | None = None
    version: str = REPORT_VERSION
    summary: dict[str, int] = {}
    kinds: dict[str, dict[str, int]] = {}
    source: Side | None = None
    destination: Side | None = None
    bundle: Contents | None = None
    signatures: Verdict | None = None
    approved_by: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    resources: tuple[Resource, ...] = ()
    secrets: tuple[Slot, ...] = ()
    findings: tuple[Finding, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    changed_while_read: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    inert: bool = False
    next_runs: tuple[NextRuns, ...] = ()
    next_steps: tuple[NextStep, ...] = ()
    surface: Surfaces | None = None
    connections: tuple[Connection, ...] = ()
    checks: tuple[Check, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    store: str | None = None
    snapshots: tuple[SnapshotRow, ...] = ()
    keep: tuple[Retained, ...] = ()
    remove: tuple[Retained, ...] = ()
    faults: tuple[Fault, ...] = ()
    history: tuple[HistoryStep, ...] = ()
