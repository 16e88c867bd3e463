"""What to know before a transfer: whether each server answers and lets us in, and what will not fit. Sends no write.

Each thing looked at is one ``Check`` with a verdict and, where it is not in
order, what to do next. A failure ends the examination of a server, since
nothing after it can be known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Literal

import msgspec

from bundle.errors import AccessDenied, BundleError
from bundle.kinds import KINDS
from bundle.operations.inventory import Survey, survey
from bundle.plan.capabilities import TellingApi
from bundle.server.openapi import Accepted
from bundle.server.responses import UNTRUSTED
from bundle.server.tiers import ANY_TIER, TIERS, Tier

Part = Literal["source", "destination"]
Verdict = Literal["ok", "warning", "failed"]

_MAJOR = "3"
_HOBBY = TIERS["hobby"]
_QUEUES = "/work_pools/{name}/queues"
_NESTED: Mapping[str, Mapping[str, frozenset[str]]] = {
    "deployment": {
        "schedules": frozenset({"slug", "parameters", "max_scheduled_runs"}),
        "concurrency_options": frozenset({"collision_strategy", "grace_period_seconds"}),
    },
    "work-pool": {
        "storage_configuration": frozenset(
            {"bundle_upload_step", "bundle_execution_step", "default_result_storage_block_id"}
        ),
    },
}
"""Fields that some release added inside an object."""


class Check(msgspec.Struct, frozen=True):
    """One thing that was looked at; ``hint`` says what to do next where the verdict is not ``ok``.

    ``part`` is the server that it is about; null where it is about both.
    """

    part: Part | None
    subject: str
    verdict: Verdict
    message: str
    hint: str = ""


def failed(part: Part | None, error: BundleError, subject: str = "connection") -> Check:
    """An error as a check that failed; where it is about credentials or a certificate, they are the subject."""
    if isinstance(error, AccessDenied):
        subject = "authentication"
    elif UNTRUSTED in error.message:
        subject = "TLS"
    return Check(part, subject, "failed", error.message, error.hint)


async def examine(api: TellingApi, part: Part, clock: Callable[[], float]) -> tuple[tuple[Check, ...], Survey | None]:
    """Look at one server; the survey is None where it cannot be used.

    Args:
        api: the server; some tens of reads are sent.
        part: what the checks say it is.
        clock: seconds, monotonic.
    """
    checks: list[Check] = []
    try:
        for look in (_connection, _authentication):
            checks.append(await look(api, part, clock))
            if checks[-1].verdict == "failed":
                return tuple(checks), None
        found = await survey(api, clock)
    except BundleError as error:
        return (*checks, failed(part, error)), None
    return (*checks, _version(api, part, found), _limits(api, part, found)), found


async def _connection(api: TellingApi, part: Part, clock: Callable[[], float]) -> Check:
    """Whether something answers as Prefect does; on Cloud nothing is open without credentials."""
    started = clock()
    if not api.is_cloud and await api.get("/health") is not True:
        return _no_prefect(api, part)
    if api.is_cloud:
        await api.read("/flows/count", {})
    return Check(part, "connection", "ok", f"answered in {1000 * (clock() - started):.0f} ms")


async def _authentication(api: TellingApi, part: Part, _clock: Callable[[], float]) -> Check:
    """Whether a request that may need credentials is answered."""
    if type(await api.read("/flows/count", {})) is not int:
        return _no_prefect(api, part)
    return Check(part, "authentication", "ok", "lets us read")


def _no_prefect(api: TellingApi, part: Part) -> Check:
    hint = "set PREFECT_API_URL to the API of a Prefect server; it usually ends in /api"
    return Check(part, "connection", "failed", f"{api.url} does not answer as a Prefect server does", hint)


def _version(api: TellingApi, part: Part, found: Survey) -> Check:
    if api.is_cloud:
        return Check(part, "version", "ok", "Prefect Cloud")
    if found.version is None:
        hint = "let GET /admin/version through, so that fields of other versions are recognised"
        return Check(part, "version", "warning", "the server does not tell its version", hint)
    if found.version.partition(".")[0] != _MAJOR:
        hint = "xfer is made for Prefect 3: look through `xfer plan` before an import"
        return Check(part, "version", "warning", f"Prefect {found.version}", hint)
    return Check(part, "version", "ok", f"Prefect {found.version}")


def _limits(api: TellingApi, part: Part, found: Survey) -> Check:
    if api.is_cloud:
        text = "the API does not tell the plan; what it does not allow is skipped and named (tier-limit)"
        return Check(part, "limits", "ok", text)
    return Check(part, "limits", "ok", f"lists {found.page} at a time; no limit of a plan")


# -- Both together ----------------------------------------------------------------------------------------------------


def compare(source: Survey, destination: Survey, *, is_cloud: bool, tier: Tier = ANY_TIER) -> tuple[Check, ...]:
    """What of the source the destination cannot take, as far as counts and versions tell; ``is_cloud``: of it."""
    plan = _plan(source, destination, tier) if is_cloud else ()
    return (*_pools(source, is_cloud=is_cloud), *plan, *_routes(source, destination), *_fields(source, destination))


def _pools(source: Survey, *, is_cloud: bool) -> Iterator[Check]:
    managed = [each for each in source.pool_types if each.endswith(":managed")]
    push = [each for each in source.pool_types if each.endswith(":push")]
    hint = "move their deployments to a hybrid pool first; else they are skipped, with what needs them"
    if managed:
        yield Check(None, "work pools", "warning", f"managed pools are never transferred: {', '.join(managed)}", hint)
    if push and not is_cloud:
        yield Check(None, "work pools", "warning", f"push pools exist only on Prefect Cloud: {', '.join(push)}", hint)


def _plan(source: Survey, destination: Survey, tier: Tier) -> Iterator[Check]:
    """What the plan of a workspace does not allow; where it was not told, the smallest one."""
    if tier != ANY_TIER:
        yield _of_tier(source, destination, tier)
        return
    unfit = _unfit(source, _HOBBY)
    deployments, most = source.counts["deployment"], _HOBBY.most["deployment"]
    if unfit or deployments > most:
        text = f"a Hobby plan takes managed pools only and {most} deployments; there are {deployments}"
        hint = "see in Cloud which plan the workspace has; with --tier hobby, what it does not allow is foreseen"
        yield Check(None, "plan", "warning", f"{text}, and pools of {', '.join(unfit) or 'no other type'}", hint)


def _of_tier(source: Survey, destination: Survey, tier: Tier) -> Check:
    """What does not fit into a tier, beside what the workspace holds already."""
    pools, coming, held = _unfit(source, tier), source.counts["deployment"], destination.counts["deployment"]
    most = tier.most.get("deployment")
    unfit = []
    if pools:
        unfit.append(f"has managed work pools only, and there are pools of {', '.join(pools)}")
    if most is not None and held + coming > most:
        unfit.append(f"allows {most} deployments, of which {min(held, most)} are there, and {coming} are to come")
    if unfit:
        hint = f"`xfer plan --tier {tier.name.lower()}` names what would be skipped; a higher plan takes it"
        return Check(None, "plan", "warning", f"the {tier.name} tier {'; it '.join(unfit)}", hint)
    rate = tier.requests_a_minute
    text = f"{rate} requests a minute" if rate else "what it allows is agreed on with Prefect"
    return Check(None, "plan", "ok", f"the {tier.name} tier: {text}")


def _unfit(source: Survey, tier: Tier) -> list[str]:
    """The types of the source's pools that a tier does not have."""
    return [each for each in source.pool_types if tier.refusal("work-pool", {"type": each})]


def _routes(source: Survey, destination: Survey) -> Iterator[Check]:
    """Kinds that the source has and the destination does not offer."""
    lacking = [
        name
        for name, count in source.counts.items()
        if count and destination.accepted is not None and not _create(name, destination.accepted)
    ]
    if lacking:
        hint = "upgrade the destination; else these are skipped, with what needs them"
        yield Check(None, "kinds", "warning", f"not offered by the destination: {', '.join(lacking)}", hint)


def _fields(source: Survey, destination: Survey) -> Iterator[Check]:
    """Fields that the source's version knows and the destination's does not."""
    if destination.accepted is None:
        yield Check(None, "fields", "ok", "the destination does not say what it takes, as Cloud, which takes all")
        return
    if source.accepted is None:
        yield Check(None, "fields", "ok", "what the destination does not take is left out, and the report names it")
        return
    lost = [
        f"{name} {field}"
        for name, count in source.counts.items()
        if count
        for field in sorted(_taken(name, source.accepted) - _taken(name, destination.accepted))
    ]
    if lost:
        hint = "upgrade the destination; else these are left out where they are set, and the report names each"
        yield Check(None, "fields", "warning", f"not taken by the destination: {', '.join(lost)}", hint)
        return
    yield Check(None, "fields", "ok", "the destination takes all fields that the source knows")


def _create(kind: str, accepted: Accepted) -> tuple[str, str] | None:
    """The route that makes a resource; None where the server has none."""
    path = KINDS[kind].path
    places = (("POST", f"{path}/"), ("PUT", f"{path}/"), ("PUT", path), ("POST", _QUEUES))
    usable = places[3:] if kind == "work-queue" else places[:3]
    return next((route for route in usable if accepted.offers(*route)), None)


def _taken(kind: str, accepted: Accepted) -> frozenset[str]:
    """The fields of a kind that travel and that a server takes, those of the objects inside written with a dot."""
    route = _create(kind, accepted)
    if route is None:
        return frozenset()
    own = accepted.names(*route) & KINDS[kind].fields
    nested = {
        f"{outer}.{name}"
        for outer, names in _NESTED.get(kind, {}).items()
        for name in names & accepted.names(*route, outer)
    }
    return own | nested
