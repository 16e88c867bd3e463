"""Which of several equal creations remains, by what everybody can see of them."""

from __future__ import annotations

import pytest

from bundle.apply.race import judge
from bundle.kinds.protocols import Made

OLD, OWN, NEW = ({"id": name} for name in ("old", "own", "new"))
DONE = Made("done", {"id": "done"})


@pytest.mark.parametrize(
    ("mine", "marked", "finished", "is_late", "remaining", "withdrawn"),
    [
        (OWN, [OWN], None, False, "own", ()),
        (None, [], None, False, "own", ()),
        (OWN, [], None, False, "own finished", ()),
        (OWN, [NEW], None, False, "own finished", ("new",)),
        (OWN, [OWN], DONE, False, "done finished", ("own",)),
        (None, [], DONE, False, "done finished", ()),
        (None, [NEW], None, False, "new", ()),
        (OWN, [OLD, OWN], None, False, "old", ("own",)),
        (OWN, [OLD, OWN, NEW], None, False, None, ("own",)),
        (None, [OLD, NEW], None, False, None, ()),
        (OWN, [OWN, NEW], None, False, None, ()),
        (OWN, [OWN, NEW], None, True, "own", ("new",)),
        (None, [OLD, NEW], None, True, "old", ("new",)),
    ],
    ids=[
        "alone",
        "deleted by somebody",
        "finished by another",
        "finished by another, with one left over",
        "another one finished",
        "another one finished, ours withdrawn before",
        "only that of another left",
        "the younger of two",
        "neither the first nor the last",
        "waiting for others",
        "the oldest, not alone",
        "the oldest, after waiting",
        "that of others, after waiting",
    ],
)
def test_every_importer_comes_to_the_same_end(
    mine: dict[str, str] | None,
    marked: list[dict[str, str]],
    finished: Made | None,
    *,
    is_late: bool,
    remaining: str | None,
    withdrawn: tuple[str, ...],
) -> None:
    """What is finished remains, else the oldest as soon as it is alone; one's own gives way at once, others' late."""
    verdict = judge("own", mine, marked, finished, is_late=is_late)

    found = verdict.remaining and verdict.remaining.made.id + (" finished" if verdict.remaining.is_finished else "")
    assert (found, verdict.withdrawn) == (remaining, withdrawn)
