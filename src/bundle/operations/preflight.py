"""What to know before a transfer: whether each server can be used, and what will not fit. Sends no write.

Each thing looked at is one ``Check`` with a verdict and, where it is not in
order, what to do next. A failure ends the examination of a server, since
nothing after it can be known.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

import msgspec

from bundle.errors import AccessDenied, BundleError
from bundle.kinds import KINDS
from bundle.model import Body, Bundle
from bundle.operations.inventory import Inventory, inventory_of, take_inventory, used_fields
from bundle.plan.actions import REASONS
from bundle.plan.capabilities import TellingApi
from bundle.plan.server_state import OfferedFields, server_of
from bundle.server.responses import UNTRUSTED
from bundle.server.tiers import ANY_TIER, TIERS, Tier

Part = Literal["source", "destination"]
Verdict = Literal["ok", "warning", "failed"]

_MAJOR = "3"
_HOBBY = TIERS["hobby"]


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


async def examine(
    api: TellingApi, part: Part, clock: Callable[[], float]
) -> tuple[tuple[Check, ...], Inventory | None]:
    """Look at one server; the inventory is None where it cannot be used.

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
        found = await take_inventory(api, clock)
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
    return Check(part, "authentication", "ok", "credentials accepted")


def _no_prefect(api: TellingApi, part: Part) -> Check:
    hint = "set PREFECT_API_URL to the API of a Prefect server; it usually ends in /api"
    return Check(part, "connection", "failed", f"{api.url} does not answer as a Prefect server does", hint)


def _version(api: TellingApi, part: Part, found: Inventory) -> Check:
    if api.is_cloud:
        return Check(part, "version", "ok", "Prefect Cloud")
    if found.version is None:
        hint = "let GET /admin/version through, so that fields of other versions are recognised"
        return Check(part, "version", "warning", "the server does not say which version it is", hint)
    if found.version.partition(".")[0] != _MAJOR:
        hint = "xfer is made for Prefect 3: look through `xfer plan` before an import"
        return Check(part, "version", "warning", f"Prefect {found.version}", hint)
    return Check(part, "version", "ok", f"Prefect {found.version}")


def _limits(api: TellingApi, part: Part, found: Inventory) -> Check:
    if api.is_cloud:
        text = "the API does not show the plan; what it does not allow is skipped and named (tier-limit)"
        return Check(part, "limits", "ok", text)
    return Check(part, "limits", "ok", f"lists {found.page} at a time; no limit of a plan")


def examine_file(stored: Bundle, part: Part) -> tuple[tuple[Check, ...], Inventory]:
    """Look at a bundle, or a state, in the place of its server: what it says, and what it does not."""
    found, manifest = inventory_of(stored), stored.manifest
    if part == "source" and found.fields is None:
        found = msgspec.structs.replace(found, fields=used_fields(stored))
    made = manifest.provenance.get("created") or "at an unknown time"
    what = "keys and digests" if manifest.is_lean else "an export"
    text = f"{what}, of {made}; {len(stored.records)} resources"
    server = server_of(manifest)
    version = "Prefect Cloud" if server.is_cloud else f"Prefect {server.version or 'of an unknown version'}"
    return (Check(part, "state", "ok", text), Check(part, "version", "ok", version)), found


# -- Both together ----------------------------------------------------------------------------------------------------


def compare(source: Inventory, destination: Inventory, *, is_cloud: bool, tier: Tier = ANY_TIER) -> tuple[Check, ...]:
    """What of the source the destination cannot take, as far as counts and versions show; ``is_cloud``: of it."""
    plan = _plan(source, destination, tier) if is_cloud else None
    return (
        *_unsupported(source, is_cloud=is_cloud),
        *([plan] if plan else ()),
        *_routes(source, destination),
        *_fields(source, destination),
    )


def _unsupported(source: Inventory, *, is_cloud: bool) -> Iterator[Check]:
    """What no destination of this sort can have."""
    hint = "move what needs them elsewhere first; else both are skipped"
    for name, variants in source.variants.items():
        reasons: dict[str, list[Body]] = defaultdict(list)
        for each in variants:
            reasons[KINDS[name].unfit(each, is_cloud=is_cloud) or ""].append(each)
        for reason in sorted(reasons.keys() - {""}):
            yield Check(None, _plural(name), "warning", f"{REASONS[reason]}: {_listed(reasons[reason])}", hint)


def _plural(kind: str) -> str:
    return f"{kind.replace('-', ' ')}s"


def _listed(variants: Iterable[Body]) -> str:
    return ", ".join(str(value) for each in variants for value in each.values())


def _plan(source: Inventory, destination: Inventory, tier: Tier) -> Check | None:
    """What the plan of a workspace does not allow; where it is not known, what the smallest one would not."""
    found = list(_beyond(source, destination, _HOBBY if tier == ANY_TIER else tier))
    if tier == ANY_TIER:
        text = f"if the workspace has a {_HOBBY.name} plan: {'; '.join(found)}"
        hint = "see in Cloud which plan it has; with --tier hobby, what that does not allow is foreseen"
        return Check(None, "plan", "warning", text, hint) if found else None
    if found:
        hint = f"`xfer plan --tier {tier.name.lower()}` names what would be skipped; a higher plan takes it"
        return Check(None, "plan", "warning", "; ".join(found), hint)
    rate = tier.requests_a_minute
    text = f"{rate} requests a minute" if rate else "what it allows is agreed on with Prefect"
    return Check(None, "plan", "ok", f"the {tier.name} tier: {text}")


def _beyond(source: Inventory, destination: Inventory, tier: Tier) -> Iterator[str]:
    """What does not fit into a tier, beside what the workspace holds already."""
    for name, kind in KINDS.items():
        reasons: dict[str, list[Body]] = defaultdict(list)
        for each in source.variants.get(name, ()):
            reasons[kind.beyond(each, tier) or ""].append(each)
        for reason in reasons.keys() - {""}:
            yield f"{reason}, and there are {_plural(name)} of {_listed(reasons[reason])}"
        most, coming, held = kind.most(tier), source.counts[name], destination.counts[name]
        if most is not None and held + coming > most:
            text = f"the {tier.name} tier allows {most} {_plural(name)}"
            yield f"{text}, of which {min(held, most)} are there, and {coming} are to come"


def _routes(source: Inventory, destination: Inventory) -> Iterator[Check]:
    """Kinds that the source has and the destination does not offer."""
    offered = KINDS.keys() if destination.fields is None else destination.fields.keys()
    lacking = [name for name, count in source.counts.items() if count and name not in offered]
    if lacking:
        hint = "upgrade the destination; else these are skipped, with what needs them"
        yield Check(None, "kinds", "warning", f"not offered by the destination: {', '.join(lacking)}", hint)


def _fields(source: Inventory, destination: Inventory) -> Iterator[Check]:
    """Fields that the source's version knows and the destination's does not."""
    if destination.fields is None:
        yield Check(None, "fields", "ok", "the destination does not say what it takes, as Cloud, which takes all")
        return
    if source.fields is None:
        yield Check(None, "fields", "ok", "what the destination does not take is left out, and the report names it")
        return
    lost = [
        f"{name} {field}"
        for name, count in source.counts.items()
        if count and destination.fields.get(name)
        for field in sorted(_travelling(name, source.fields) - _travelling(name, destination.fields))
    ]
    if lost:
        hint = "upgrade the destination; else these are left out where they are set, and the report names each"
        yield Check(None, "fields", "warning", f"not taken by the destination: {', '.join(lost)}", hint)
        return
    yield Check(None, "fields", "ok", "the destination takes all fields that the source knows")


def _travelling(kind: str, offered: OfferedFields) -> frozenset[str]:
    """The fields of a kind that travel and that a server takes, those of the objects inside written with a dot."""
    fields = KINDS[kind].fields
    inside = {f"{outer}.{name}" for outer, field in fields.items() for name in field.inside}
    return frozenset(offered.get(kind, ())) & (KINDS[kind].travelling | inside)
