"""The options that say how a bundle is to arrive: what plan, import and transfer share, each group one value."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar, get_args

import click
import msgspec

from bundle.cli import options, scope_options, secret_values
from bundle.cli.console import Console
from bundle.cli.scope_options import OverlayOptions
from bundle.environment.selection import Selection, find_kind
from bundle.errors import UsageError
from bundle.model import Bundle, Json
from bundle.plan.choices import Choices, Conflicts, MissingSecrets, OnConflict
from bundle.server.target import Target
from bundle.server.tiers import ANY_TIER, TIERS, Tier

T = TypeVar("T")
Command = Callable[..., T]
OnError = Literal["fail", "abort", "ignore"]


class ChoiceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The options from which the ``Choices`` of an import are made, once its bundle is known."""

    selection: Selection
    overlay: OverlayOptions
    conflicts: Conflicts
    secrets_file: str | None
    identities: tuple[str, ...]
    missing_secrets: MissingSecrets
    inert: bool
    tier: Tier

    def for_bundle(self, bundle: Bundle) -> Choices:
        """The choices for a bundle.

        Raises:
            UsageError: an option of the overlay is malformed.
        """
        overlay = self.overlay.for_bundle(bundle)
        return Choices(self.conflicts, self.missing_secrets, self.inert, self.tier, self.selection, overlay)


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """Whether an import is carried out, what happens when a resource fails, and where its receipt goes."""

    on_error: OnError
    dry_run: bool
    receipt_file: str | None
    no_receipt: bool


def secrets(function: Command[T]) -> Command[T]:
    """Where the values come from that a bundle does not hold."""
    function = click.option(
        "--missing-secrets",
        type=click.Choice(get_args(MissingSecrets)),
        default="placeholder",
        show_default=True,
        help="What to do with a resource whose secret is not supplied.",
    )(function)
    function = click.option(
        "-i",
        "--identity",
        "identities",
        metavar="FILE",
        multiple=True,
        help="A private key that opens sealed secrets: of age, or an SSH key. Repeatable.",
    )(function)
    return click.option(
        "--secrets",
        "secrets_file",
        metavar="FILE",
        help="The values: a file that `xfer secrets template` or `xfer secrets seal` wrote.",
    )(function)


def conflicts(function: Command[T]) -> Command[T]:
    """What to do where the destination has other content; the command gets one ``conflicts``."""

    @click.option(
        "--on-conflict",
        "policies",
        metavar="[KIND=]POLICY",
        multiple=True,
        help="When DESTINATION has a resource with other content: skip it (the default), update it, or fail "
        "before the first write. Repeatable; KIND=POLICY applies to one kind.",
    )
    @functools.wraps(function)
    def gathered(*args: Any, policies: tuple[str, ...], **rest: Any) -> T:
        return function(*args, conflicts=read_policies(policies), **rest)

    return gathered


def read_policies(texts: Iterable[str]) -> Conflicts:
    """``("update", "variable=skip")`` as a value; of two that contradict each other, the later one counts.

    Raises:
        UsageError: there is no such policy or kind.
    """
    found = Conflicts()
    for text in texts:
        kind, mark, name = text.rpartition("=")
        policy = next((each for each in get_args(OnConflict) if each == name), None)
        if policy is None:
            raise UsageError(
                f"--on-conflict {text!r}: there is no policy {name!r}",
                hint=f"use {', '.join(get_args(OnConflict))}, or KIND=POLICY for one kind",
            )
        named = {**found.by_kind, find_kind(kind).name: policy} if mark else found.by_kind
        found = Conflicts(found.usual if mark else policy, named)
    return found


def _tier(_context: click.Context, _parameter: click.Parameter, name: str | None) -> Tier:
    return ANY_TIER if name is None else TIERS[name]


tier = click.option(
    "--tier",
    type=click.Choice(list(TIERS)),
    callback=_tier,
    help="The Prefect Cloud plan of DESTINATION. What it does not allow is skipped without being sent.",
)


choices = options.gathered(
    ChoiceOptions,
    "choices",
    secrets,
    conflicts,
    tier,
    scope_options.overlay,
    click.option("--inert", is_flag=True, help="Create everything paused; `xfer activate` switches it on."),
    scope_options.selection,
)
"""What of a bundle is to arrive, and how; the command gets one ``choices``."""

execution = options.gathered(
    Execution,
    "execution",
    click.option(
        "--on-error",
        type=click.Choice(get_args(OnError)),
        default="fail",
        show_default=True,
        help="When a resource fails: go on and exit with 3 (fail), start nothing new (abort), "
        "or go on and exit with 0 (ignore).",
    ),
    click.option("--dry-run", is_flag=True, help="Show what would be done, like `xfer plan`, and do nothing."),
    click.option(
        "--receipt",
        "receipt_file",
        metavar="FILE",
        help="File for the receipt that `xfer rollback` needs. Default: beside the bundle.",
    ),
    click.option("--no-receipt", is_flag=True, help="Do not write a receipt."),
)
"""How an import is run; the command gets one ``execution``."""


def check(console: Console, choices: ChoiceOptions, destination: Target) -> dict[str, Json]:
    """Refuse what cannot be done, before any request; returns the filled slots of the secrets file.

    Raises:
        UsageError: the secrets file cannot be read, or the destination has no tier.
    """
    check_tier(choices.tier, destination)
    return secret_values.read_file(console, choices.secrets_file)


def check_tier(tier: Tier, destination: Target) -> None:
    """Refuse a tier for a server that has none.

    Raises:
        UsageError: the destination is not a Cloud workspace.
    """
    if tier != ANY_TIER and not destination.is_cloud:
        raise UsageError(
            f"--tier: {destination.name} ({destination.url}) is not a Prefect Cloud workspace",
            hint="leave out --tier, or name another profile with --to",
        )
