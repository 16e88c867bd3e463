"""Saved plans as the command line names them: a file, or ``-`` for standard input and output."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from bundle.cli import sources
from bundle.cli.console import Console
from bundle.cli.import_options import ChoiceOptions
from bundle.cli.sources import STANDARD
from bundle.cli.trust_options import NO_TRUST, Trust
from bundle.errors import UsageError
from bundle.files import check_target, output_errors
from bundle.operations import saved_plan
from bundle.operations.saved_plan import SavedPlan
from bundle.server.tiers import ANY_TIER, TIERS
from bundle.trust.verify import Namespace, signature_files


def check_output(console: Console, name: str | None, *, force: bool) -> None:
    """Refuse a file that cannot be written, before any request is sent.

    Raises:
        UsageError: standard output is needed for something else.
        OutputError: something is there, or it cannot be written.
    """
    if name == STANDARD and console.is_json:
        raise UsageError(
            "the plan and the JSON document cannot both go to standard output", hint="write the plan to a file: -o PLAN"
        )
    if name == STANDARD:
        console.result_to_stderr = True
    elif name is not None:
        check_target(Path(name), force)


def write(plan: SavedPlan, name: str | None, *, force: bool) -> None:
    """Write a plan, if one was asked for.

    Raises:
        OutputError: it cannot be written.
    """
    if name == STANDARD:
        with output_errors("standard output"):
            sys.stdout.buffer.write(saved_plan.as_bytes(plan))
    elif name is not None:
        saved_plan.write(plan, Path(name), force=force)


class ReadPlan(msgspec.Struct, frozen=True):
    """A plan, and the SHA-256 of its file in hex."""

    plan: SavedPlan
    sha256: str


def with_tier(choices: ChoiceOptions, plan: SavedPlan) -> ChoiceOptions:
    """The options with the tier that a plan against a state was made for, where the user names none."""
    if plan.server is None or choices.tier != ANY_TIER:
        return choices
    return msgspec.structs.replace(choices, tier=TIERS.get(plan.server.tier, ANY_TIER))


def read(name: str | None, bundle: str, trust: Trust = NO_TRUST) -> ReadPlan | None:
    """The plan that was asked for, if any; ``bundle`` is where the bundle comes from.

    A plan need not be signed, for it only narrows what is done. Where it is, its signature must be right.

    Raises:
        UsageError: both would come from standard input.
        BundleError: it cannot be read, or is not a plan.
        Distrusted: whom the user trusts did not sign it.
    """
    if name is None:
        return None
    if name == STANDARD and bundle == STANDARD:
        raise UsageError(
            "the bundle and the plan cannot both come from standard input", hint="read one of them from a file"
        )
    is_signed = name != STANDARD and bool(signature_files(Path(name)))
    own = msgspec.structs.replace(trust, signatures=()) if is_signed else NO_TRUST
    label = "standard input" if name == STANDARD else name
    with sources.opened(name, own, Namespace.PLAN) as source:
        data = saved_plan.bytes_of(source.stream, label)
        digest = source.finish()
    return ReadPlan(saved_plan.parse(data, label), digest)
