"""Saved plans as the command line names them: a file, or ``-`` for standard input and output."""

from __future__ import annotations

import sys
from pathlib import Path

from bundle.cli.bundles import STANDARD
from bundle.cli.console import Console
from bundle.errors import UsageError
from bundle.files import check_target, output_errors
from bundle.operations import saved_plan
from bundle.operations.saved_plan import SavedPlan


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


def read(name: str | None, bundle: str) -> SavedPlan | None:
    """The plan that was asked for, if any; ``bundle`` is where the bundle comes from.

    Raises:
        UsageError: both would come from standard input.
        BundleError: it cannot be read, or is not a plan.
    """
    if name is None:
        return None
    if name != STANDARD:
        return saved_plan.read(Path(name))
    if bundle == STANDARD:
        raise UsageError(
            "the bundle and the plan cannot both come from standard input", hint="read one of them from a file"
        )
    return saved_plan.parse(sys.stdin.buffer.read(), "standard input")
