"""Commands against a state: what the file of a destination stands in for, without a connection."""

from __future__ import annotations

import msgspec

from bundle.cli import bundles, secret_values
from bundle.cli.console import Console
from bundle.cli.import_options import ChoiceOptions
from bundle.cli.trust_options import Trust
from bundle.errors import BundleError, BundleRejected, Conflict, SecretMissing, UsageError
from bundle.model import Bundle
from bundle.operations import saved_plan
from bundle.operations.import_ import surface_of
from bundle.operations.saved_plan import SavedPlan
from bundle.operations.states import drift_from, prepare_against
from bundle.plan.overlay import Wanted
from bundle.plan.server_state import ServerState, server_of
from bundle.report import endings
from bundle.report import plan as plan_report
from bundle.report import verify as verify_report
from bundle.report.model import Report, Side
from bundle.report.records import Subject
from bundle.server.tiers import ANY_TIER, TIERS, Tier


def plan(
    console: Console, file: str, state_file: str, options: ChoiceOptions, trust: Trust
) -> tuple[Report, SavedPlan]:
    """The report of a plan against a state, and the plan to save.

    Raises:
        BundleRejected: the bundle or the state cannot be read or is damaged.
        UsageError: a secret or an option does not fit the bundle.
    """
    loaded = bundles.read(console, file, trust)
    stored, state = loaded.bundle, read(console, state_file, trust)
    tier = tier_of(state_file, server_of(state.manifest), options.tier)
    options = msgspec.structs.replace(options, tier=tier)
    values = secret_values.read_file(console, options.secrets_file)
    supplied = secret_values.supplied(options.secrets_file, values, stored, trust, options.identities)
    choices = options.for_bundle(stored)
    refusal: BundleError | None = None
    try:
        prepared = prepare_against(stored, state, choices, secrets=supplied)
    except (Conflict, SecretMissing) as error:
        prepared, refusal = prepare_against(stored, state, choices.without_refusals(), secrets=supplied), error
    side = Side(state_file, state_file)
    subject = Subject(
        "plan", stored.manifest, file, side, frozenset(supplied), prepared.keys, choices.inert, loaded.verdict
    )
    report = msgspec.structs.replace(plan_report.report(subject, prepared.plan), surface=surface_of(prepared))
    made = saved_plan.made_offline(prepared, state.manifest)
    return report if refusal is None else endings.ended_by(report, refusal), made


def verify(console: Console, wanted: Wanted, file: str, state_file: str, trust: Trust) -> Report:
    """The report of whether a state holds what is wanted of a bundle; raises as ``plan``."""
    state = read(console, state_file, trust)
    subject = Subject("verify", wanted.bundle.manifest, file, Side(state_file, state_file), keys=wanted.keys)
    return verify_report.report(subject, drift_from(wanted, state))


def read(console: Console, name: str, trust: Trust) -> Bundle:
    """The state in a file, signed by whom the user trusts, where that is known.

    Raises:
        BundleRejected: it cannot be read, is damaged, or is of a part of an environment only.
        Distrusted: whom the user trusts does not vouch for it.
    """
    named_are_for_the_bundle = msgspec.structs.replace(trust, signatures=())
    state = bundles.read(console, name, named_are_for_the_bundle, as_state=True).bundle
    if state.manifest.selection:
        hint = "make one of everything: `xfer export --from SERVER --state -o STATE`"
        raise BundleRejected(f"{name}: only a part of an environment, which does not say what else is there", hint=hint)
    return state


def tier_of(name: str, server: ServerState, asked: Tier) -> Tier:
    """The tier of the server of a state: what the user says of it, else what it says.

    Raises:
        UsageError: it is not a workspace of Prefect Cloud.
    """
    if asked != ANY_TIER and not server.is_cloud:
        raise UsageError(f"--tier: {name} is not a state of a Prefect Cloud workspace", hint="leave out --tier")
    return TIERS.get(server.tier, ANY_TIER) if asked == ANY_TIER else asked
