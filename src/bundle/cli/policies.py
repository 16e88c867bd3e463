"""The options that say how a bundle is to arrive; what import, plan and transfer share is one ``Wishes``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Literal, TypeVar, get_args

import click
import msgspec

from bundle.cli import options, scope_options, secret_values
from bundle.cli.console import Console
from bundle.environment.selection import Selection, find_kind
from bundle.errors import UsageError
from bundle.model import Bundle, Json
from bundle.plan.choices import Choices, Conflicts, MissingSecrets, OnConflict
from bundle.server.target import Target
from bundle.server.tiers import ANY_TIER, TIERS, Tier

T = TypeVar("T")
OnError = Literal["fail", "abort", "ignore"]


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """How a bundle is to arrive, as it was asked for on the command line."""

    secrets_file: str | None
    missing_secrets: MissingSecrets
    conflicts: Conflicts
    tier: Tier
    overlay: scope_options.Request
    inert: bool

    def choices(self, bundle: Bundle, selection: Selection) -> Choices:
        """The same for a bundle, in which the overlay is looked for."""
        overlay = scope_options.gather(self.overlay, bundle)
        return Choices(self.conflicts, self.missing_secrets, self.inert, self.tier, selection, overlay)


def conflicts(function: Callable[..., T]) -> Callable[..., T]:
    """What to do where the destination has other content; the command gets one ``conflicts``."""

    @click.option(
        "--on-conflict",
        "policies",
        metavar="[KIND=]POLICY",
        multiple=True,
        help="Where DESTINATION has a resource with other content: skip (leave it; the default), update, or fail "
        "before any write. Repeatable, and for one kind: --on-conflict variable=update.",
    )
    @functools.wraps(function)
    def gathered(*args: Any, policies: tuple[str, ...], **rest: Any) -> T:
        return function(*args, conflicts=read_policies(policies), **rest)

    return gathered


def read_policies(texts: Iterable[str]) -> Conflicts:
    """``("update", "variable=skip")`` as a value; of two that contradict each other, the later one holds.

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
                hint=f"one of {', '.join(get_args(OnConflict))}, or KIND=POLICY for one kind",
            )
        named = {**found.by_kind, find_kind(kind).name: policy} if mark else found.by_kind
        found = Conflicts(found.usual if mark else policy, named)
    return found


on_error = click.option(
    "--on-error",
    type=click.Choice(get_args(OnError)),
    default="fail",
    show_default=True,
    help="When a resource fails: go on and exit with 3 (fail), start nothing new (abort), "
    "or go on and exit with 0 (ignore).",
)


def _tier(_context: click.Context, _parameter: click.Parameter, name: str | None) -> Tier:
    return ANY_TIER if name is None else TIERS[name]


tier = click.option(
    "--tier",
    type=click.Choice(list(TIERS)),
    callback=_tier,
    help="The Prefect Cloud plan of DESTINATION. What it does not allow is skipped without being sent.",
)


def wishes(function: Callable[..., T]) -> Callable[..., T]:
    """All that import, plan and transfer let a user ask for; the command gets one ``wishes``."""

    @options.secrets
    @conflicts
    @tier
    @scope_options.overlay
    @options.inert
    @functools.wraps(function)
    def gathered(*args: Any, **given: Any) -> T:
        asked = Wishes(**{name: given.pop(name) for name in Wishes.__struct_fields__})
        return function(*args, wishes=asked, **given)

    return gathered


def check(console: Console, wishes: Wishes, destination: Target) -> dict[str, Json]:
    """Refuse what cannot be granted, before any request; returns the filled slots of the secrets file.

    Raises:
        UsageError: the secrets file cannot be read, or the destination has no tier.
    """
    check_tier(wishes.tier, destination)
    return secret_values.read_file(console, wishes.secrets_file)


def check_tier(tier: Tier, destination: Target) -> None:
    """Refuse a tier for a server that has none.

    Raises:
        UsageError: the destination is not a Cloud workspace.
    """
    if tier != ANY_TIER and not destination.is_cloud:
        raise UsageError(
            f"--tier: {destination.name} ({destination.url}) is not a workspace of Prefect Cloud",
            hint="leave out --tier, or name another profile with --to",
        )
