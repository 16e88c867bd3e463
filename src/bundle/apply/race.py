"""Agrees with other importers on which of several equal creations remains.

Where the server keeps no names unique, two imports of one bundle at the same
time both make a resource. Until activation each one carries the mark of its
record, so everybody can see which of them are meant to be one.

Rules:

1. What somebody has finished remains; else the oldest one, as soon as it is alone.
2. Only what carries the mark is deleted: one's own at once, that of others
   beside a finished one, or when they had time enough to do it themselves.
3. Everybody lists after the own creation, so of two importers at least one
   sees both. The other one goes on with its own; that is why the oldest has to
   be alone first: what is stamped earlier may have come to light later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from bundle.apply.confirm import Confirmation
from bundle.environment.reader import ApiReader
from bundle.kinds import KINDS
from bundle.kinds.protocols import Made, Raw
from bundle.model import Api, Key
from bundle.plan.intended import Intended

Withdraw = Callable[[str, Made], Awaitable[None]]


class Claim(msgspec.Struct, frozen=True):
    """What this run made, or took up, for a record and has not finished yet: its id and its name there."""

    record: Intended
    id: str
    name: str


class Settled(msgspec.Struct, frozen=True):
    """What is to be the record's resource, and whether somebody has finished it already."""

    made: Made
    is_finished: bool = False


class Judgement(msgspec.Struct, frozen=True):
    """What is known of a claim by now: what remains, if that is clear, and the ids that are to go."""

    remaining: Settled | None
    withdrawn: tuple[str, ...] = ()


def judge(own: str, mine: Raw | None, marked: Sequence[Raw], finished: Made | None, *, is_late: bool) -> Judgement:
    """Decide on one claim.

    Args:
        own: the claimed id.
        mine: the row of that id, None when it is gone.
        marked: the rows with the record's mark, oldest first.
        finished: an equal resource without a mark that is nobody's so far; looked for only where no other is marked.
        is_late: others had time enough to withdraw theirs.
    """
    ids = [str(row["id"]) for row in marked]
    others = tuple(each for each in ids if each != own)
    if mine is not None and own not in ids:
        return Judgement(Settled(Made(own, mine), is_finished=True), others)
    if not others and finished is not None:
        return Judgement(Settled(finished, is_finished=True), tuple(ids))
    if not others:
        return Judgement(Settled(Made(own, mine or {})))
    first = Made(ids[0], marked[0])
    if is_late or ids in ([first.id], [first.id, own]):
        return Judgement(Settled(first), tuple(ids[1:]))
    return Judgement(None, (own,) if own in ids[1:] else ())


async def settle(
    claims: Sequence[Claim], api: Api, look: Confirmation, ids: Mapping[Key, str], withdraw: Withdraw
) -> dict[Key, Settled]:
    """What remains for each claim, all of one kind; the others are withdrawn.

    Takes one listing, unless somebody else is making the same.

    Raises:
        ServerError: the destination cannot be asked, or does not delete.
    """
    remaining: dict[Key, Settled] = {}
    rounds = look.patience.rounds
    for number in range(rounds + 1):
        open_claims = [claim for claim in claims if claim.record.key not in remaining]
        taken = {*ids.values(), *(each.made.id for each in remaining.values())}
        for claim, verdict in await _judged(open_claims, api, look, taken, is_late=number == rounds):
            for identifier in verdict.withdrawn:
                await withdraw(claim.record.kind, Made(identifier))
            if verdict.remaining is not None:
                remaining[claim.record.key] = verdict.remaining
        if len(remaining) == len(claims):
            break
        await asyncio.sleep(look.patience.pause_seconds)
    return remaining


async def _judged(
    claims: Sequence[Claim], api: Api, look: Confirmation, taken: set[str], *, is_late: bool
) -> list[tuple[Claim, Judgement]]:
    kind = KINDS[claims[0].record.kind]
    rows = sorted(
        await kind.read(ApiReader(api, deep=False)), key=lambda row: (str(row.get("created")), str(row["id"]))
    )
    by_id = {str(row["id"]): row for row in rows}
    marked = {claim.id: [row for row in rows if _is_marked(row, claim.record)] for claim in claims}
    unclear = taken | {str(row["id"]) for found in marked.values() for row in found}
    loose = {str(row["name"]) for row in rows if str(row["id"]) not in unclear}
    alone = [
        claim.record
        for claim in claims
        if claim.name in loose and all(str(row["id"]) == claim.id for row in marked[claim.id])
    ]
    finished = await look.finished(alone, excluding=unclear) if alone else {}
    return [
        (
            claim,
            judge(claim.id, by_id.get(claim.id), marked[claim.id], finished.get(claim.record.key), is_late=is_late),
        )
        for claim in claims
    ]


def _is_marked(row: Raw, record: Intended) -> bool:
    return KINDS[record.kind].is_pending(row, record.body, record.mark, lambda _: False)
