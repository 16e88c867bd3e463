"""A cutover on the command line, between two servers without a network."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import pytest

from bundle.cli import connection
from bundle.kinds import KINDS
from support.fake_prefect import FakePrefect
from support.moving import import_into
from support.odd_rows import answering
from support.offline import api_of
from support.seeded import seeded


@functools.cache
def _filled() -> FakePrefect:
    fake = FakePrefect(seed=1)
    import_into(fake, seeded())
    return fake


@pytest.fixture
def sides(shell: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, FakePrefect]:
    """Server a with the whole environment, and server b with nothing."""
    fakes = {"a.test": copy.deepcopy(_filled()), "b.test": FakePrefect(seed=2)}
    monkeypatch.setattr(connection, "connect", lambda target: api_of(fakes[target.host]))
    assert shell.directory.exists()
    return fakes


def is_anything_on(fake: FakePrefect) -> bool:
    return (
        any(row["enabled"] for row in fake.rows("automations"))
        or not all(row["is_paused"] for row in fake.rows("work_pools"))
        or not all(row["paused"] for row in fake.rows("deployments"))
    )


def test_a_transfer_warns_of_schedules_on_both_sides(shell: Any, sides: dict[str, FakePrefect]) -> None:
    """Schedules that would fire at both servers cause a warning with two remedies, unless all arrives switched off."""
    warned = shell("transfer", "--from", "a", "--to", "b", "--dry-run")
    assert "schedules start runs at a and would also do so at b: transfer with --inert" in warned.err
    assert "warning: " in warned.out
    quiet = shell("transfer", "--from", "a", "--to", "b", "--inert", "--dry-run", "--json")
    assert (quiet.document["warnings"], quiet.document["inert"]) == ([], True)
    assert "start runs at a" not in quiet.err
    assert sides["b.test"].writes == []


def test_a_cutover(shell: Any, sides: dict[str, FakePrefect]) -> None:
    """Nothing runs at the destination before the activation, which shows what runs next; the source can be stopped."""
    arrived = shell("transfer", "--from", "a", "--to", "b", "--inert", "-o", "env.pxb", "--no-receipt")
    assert "  xfer activate env.pxb --to b\n" in arrived.out
    assert not is_anything_on(sides["b.test"])

    tried = shell("activate", "env.pxb", "--to", "b", "--dry-run")
    assert "Would switch on in b (http://b.test/api) what is on in env.pxb" in tried.out
    assert "next runs, by schedule (" in tried.out
    assert "  deployment:scheduled/with slugs  cron " in tried.out
    assert not is_anything_on(sides["b.test"])

    stopped = shell("deactivate", "--from", "a", "-o", "state.pxb")
    assert "Switched off in a (http://a.test/api); to undo: xfer activate state.pxb --to a" in stopped.out
    assert not is_anything_on(sides["a.test"])

    done = shell("activate", "env.pxb", "--to", "b")
    assert done.out.splitlines()[-1] == tried.out.splitlines()[-1]
    assert is_anything_on(sides["b.test"])
    again = shell("activate", "env.pxb", "--to", "b")
    assert "next runs" not in again.out
    assert "already (" in again.out


def test_what_was_only_switched_on_can_be_taken_back(shell: Any, sides: dict[str, FakePrefect]) -> None:
    """A rollback after an activation deletes what the import made: to be switched on is not to be edited."""
    shell("export", "--from", "a", "-o", "env.pxb")
    shell("import", "env.pxb", "--to", "b", "--inert", "--receipt", "receipt")
    shell("activate", "env.pxb", "--to", "b")
    back = shell("rollback", "receipt", "--to", "b", "--json")
    assert {each["reason"] for each in back.document["resources"]} == {"deleted"}
    assert sides["b.test"].rows("deployments") == []


def test_a_state_must_be_kept(shell: Any, sides: dict[str, FakePrefect]) -> None:
    """Without a new file for the state nothing is switched off."""
    for file in ([], ["-o", "-"], ["-o", "kept.pxb"]):
        Path("kept.pxb").write_text("mine")
        assert shell("deactivate", "--from", "a", *file).code in {1, 64}
    assert sides["a.test"].writes == _filled().writes
    assert Path("kept.pxb").read_text() == "mine"


def test_what_cannot_be_read_is_said_to_be_left_as_it_is(
    shell: Any, sides: dict[str, FakePrefect], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both ways, an automation that a server shows in no usable form is named, and the exit code is 3."""
    shell("transfer", "--from", "a", "--to", "b", "--inert", "-o", "env.pxb", "--no-receipt")
    odd = {name: answering(fake, KINDS["automation"], lambda _rows: b"[7]") for name, fake in sides.items()}
    monkeypatch.setattr(connection, "connect", lambda target: api_of(sides[target.host], odd[target.host]))

    on = shell("activate", "env.pxb", "--to", "b", "--json")
    off = shell("deactivate", "--from", "a", "-o", "state.pxb")

    assert (on.code, off.code) == (3, 3)
    reasons = {each["reason"] for each in on.document["resources"] if each["kind"] == "automation"}
    assert "unreadable" in reasons
    assert "missing" not in reasons
    assert "left out at export, not-portable (1)" in off.out
    assert len([row for row in sides["a.test"].rows("automations") if row["enabled"]]) == 1
