"""Manifest and record lines: bytes to structs and back, strictly.

Rules, in this order: the version is one that this xfer reads; the JSON is the one canonical
encoding of its value, so no duplicate key, spelling or stray byte gets through; it fits the
published schema; every statement that another one implies agrees with it. A newer minor version
may bring fields that this xfer does not know: they are passed over, with a warning.
"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from bundle.container.limits import Limits
from bundle.container.lines import MALFORMED, reason_of, shown, too_many_values
from bundle.errors import Corrupt, UnsupportedFormat
from bundle.model import FORMAT_VERSION, Count, LeftOut, Manifest, Member, Requirement, Wave
from bundle.record.canonical import encode
from bundle.record.depth import is_deeper

NAME = "manifest.json"
OLDEST_VERSION = "1.0"
EXTERNAL_SINCE = "1.1"
ORDERED_SINCE = "1.2"
EXTERNAL = Requirement(EXTERNAL_SINCE, "it refers to resources that it does not hold")
ORDERED = Requirement(ORDERED_SINCE, "members of objects keep the order of the source")
LEAN = Requirement("1.3", "it holds keys and digests only")
_HINT = "the file is damaged or was not written by xfer; get a fresh copy, or export again"
_VERSION = re.compile(r"([1-9][0-9]{0,5})\.(0|[1-9][0-9]{0,5})")


class _Versions(msgspec.Struct):
    format: str
    requires: Any = None


def part_name(wave: int, kind: str, part: int) -> str:
    """The name of a member that holds records; parts count from 1."""
    return f"resources/{wave:03d}-{kind}-{part:04d}.ndjson"


def order_of(members: Iterable[Member]) -> tuple[Wave, ...]:
    """The dependency order that the members imply."""
    waves = []
    for wave, group in itertools.groupby(members, key=lambda member: member.wave):
        parts = list(group)
        kinds = tuple(dict.fromkeys(part.kind for part in parts))
        waves.append(Wave(wave, kinds, sum(part.count for part in parts)))
    return tuple(waves)


def is_newer(version: str) -> bool:
    """Whether a format version is newer than the one that this xfer writes."""
    return _number(version) > _number(FORMAT_VERSION)


def keeps_order(manifest: Manifest) -> bool:
    """Whether members of objects below the fields of a body may be in any order."""
    return _number(manifest.format) >= _number(ORDERED_SINCE) and requires(manifest, ORDERED_SINCE)


def requires(manifest: Manifest, version: str) -> bool:
    """Whether a manifest asks for a reader who knows a format version."""
    return any(_number(item.version) >= _number(version) for item in manifest.requires)


def account_problem(census: Mapping[str, Count], left_out: Iterable[LeftOut], members: Iterable[Member]) -> str | None:
    """Why the account does not add up; None when it does."""
    exported: Counter[str] = Counter()
    for member in members:
        exported[member.kind] += member.count
    omitted: Counter[str] = Counter()
    for entry in left_out:
        omitted[entry.kind] += entry.count
    for kind in sorted({*census, *exported, *omitted}):
        count = census.get(kind, Count(0, 0, 0))
        if count != Count(exported[kind] + omitted[kind], exported[kind], omitted[kind]):
            return (
                f"the census of {kind} says {count.seen} seen, {count.exported} exported, {count.left_out} left out, "
                f"but {exported[kind]} are here and {omitted[kind]} are listed as left out"
            )
    return None


def decode_manifest(data: bytes, limits: Limits) -> tuple[Manifest, tuple[str, ...]]:
    """The manifest in some bytes, and warnings about what this xfer passes over.

    Raises:
        UnsupportedFormat: a newer xfer is needed.
        Corrupt: the bytes are not a manifest, or contradict themselves.
    """
    if too_many_values(data, limits):
        raise _corrupt(f"it holds more than {limits.values} JSON values")
    warnings = _check_version(data)
    value = _plain(data, limits)
    manifest = _converted(value)
    if not warnings and (_is_ahead(manifest) or encode(manifest) != data):
        raise _corrupt(f"it has fields that format {manifest.format} does not have, or that are to be left out")
    if manifest.external is not msgspec.UNSET and not requires(manifest, EXTERNAL_SINCE):
        raise _corrupt("it has external resources, and does not require a reader who knows of such")
    if len(encode([manifest.provenance, manifest.selection])) > limits.provenance_bytes:
        raise _corrupt(f"its provenance and selection are larger than {limits.provenance_bytes} bytes")
    _check_members(manifest, limits)
    named = manifest.external or ()
    if any(first >= second for first, second in itertools.pairwise(named)):
        raise _corrupt("its external resources are out of order")
    problem = account_problem(manifest.census, manifest.left_out, manifest.members)
    if problem:
        raise _corrupt(problem)
    return manifest, warnings


def _is_ahead(manifest: Manifest) -> bool:
    """Whether it has what its own version did not have yet."""
    is_external = manifest.external is not msgspec.UNSET and manifest.format == OLDEST_VERSION
    is_lean = manifest.is_lean and _number(manifest.format) < _number(LEAN.version)
    return is_external or is_lean


def _check_version(data: bytes) -> tuple[str, ...]:
    try:
        versions = msgspec.json.decode(data, type=_Versions)
    except MALFORMED as error:
        raise _corrupt(f"it is not a manifest: {reason_of(error)}") from error
    found = _VERSION.fullmatch(versions.format)
    if not found:
        raise _corrupt("its format is not a version such as 1.0")
    version = versions.format
    required = [item for item in _requirements(versions.requires) if is_newer(item.version)]
    if required or _number(version)[0] > _number(FORMAT_VERSION)[0]:
        raise _unsupported(version, required)
    if is_newer(version):
        return (f"the bundle has format {version}, this xfer knows {FORMAT_VERSION}: unknown fields are passed over",)
    return ()


def _number(version: str) -> tuple[int, int]:
    found = _VERSION.fullmatch(version)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _requirements(value: Any) -> list[Requirement]:
    # A newer major version may write this in another way; then there is no reason to quote.
    try:
        return msgspec.convert(value, list[Requirement])
    except msgspec.ValidationError:
        return []


def _unsupported(version: str, required: list[Requirement]) -> UnsupportedFormat:
    needed = max((item.version for item in required), key=_number, default=version)
    reasons = "; ".join(shown(item.reason) for item in required[:3])
    because = f" ({reasons})" if reasons else ""
    return UnsupportedFormat(
        f"the bundle needs an xfer that reads format {needed}{because}; this one reads up to {FORMAT_VERSION}",
        hint="upgrade xfer, then run the command again",
    )


def _plain(data: bytes, limits: Limits) -> Any:
    try:
        value = msgspec.json.decode(data)
    except MALFORMED as error:
        raise _corrupt(f"it is not a manifest: {reason_of(error)}") from error
    if is_deeper(value, limits.depth):
        raise _corrupt(f"it is nested deeper than {limits.depth} levels")
    if encode(value) != data:
        raise _corrupt("it is not in the canonical form")
    return value


def _converted(value: Any) -> Manifest:
    # Only reading needs it.
    from bundle.container.schema import strict  # noqa: PLC0415

    try:
        msgspec.convert(value, strict(Manifest))
        return msgspec.convert(value, Manifest)
    except msgspec.ValidationError as error:
        raise _corrupt(reason_of(error)) from error


def _check_members(manifest: Manifest, limits: Limits) -> None:
    if len(manifest.members) > limits.members:
        raise _corrupt(f"it lists more than {limits.members} members")
    previous, part = (-1, ""), 0
    for member in manifest.members:
        place = (member.wave, member.kind)
        part = part + 1 if place == previous else 1
        if place < previous or member.name != part_name(member.wave, member.kind, part):
            raise _corrupt(f"the member {shown(member.name)} is out of order or misnamed")
        if member.size > limits.member_bytes:
            raise _corrupt(f"the member {member.name} is larger than {limits.member_bytes} bytes")
        previous = place
    if sum(member.size for member in manifest.members) > limits.total_bytes:
        raise _corrupt(f"its members unpack to more than {limits.total_bytes} bytes")
    if sum(member.count for member in manifest.members) > limits.records:
        raise _corrupt(f"its members hold more than {limits.records} records")
    if order_of(manifest.members) != manifest.order:
        raise _corrupt("the dependency order differs from the order of the members")


def _corrupt(why: str) -> Corrupt:
    return Corrupt(f"{NAME}: {why}", hint=_HINT)
