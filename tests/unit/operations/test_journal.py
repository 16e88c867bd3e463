"""What is written of an import while it runs, and when."""

from __future__ import annotations

import io
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bundle.apply.control import Control
from bundle.errors import OutputError
from bundle.model import Bundle
from bundle.operations.import_ import Prepared, Result, carry_out, prepare
from bundle.operations.journal import Journal, is_needed
from bundle.operations.receipt import read
from bundle.plan.choices import DEFAULT, Choices, Conflicts
from support.edits import SUPPLIED, SUPPLIED_SLOT
from support.environment import when
from support.fake_prefect import FakePrefect
from support.moving import CREATED, bundle_of, import_into
from support.offline import api_of, run, speaking_to
from support.seeded import arrived, seeded
from support.tampering import KilledError, killing


def prepared(fake: FakePrefect, bundle: Bundle, choices: Choices = DEFAULT, **given: Any) -> Prepared:
    async def plan() -> Prepared:
        async with api_of(fake) as api:
            return await prepare(bundle, api, choices, **given)

    return run(plan())


def carried_out(fake: FakePrefect, plan: Prepared, journal: Journal) -> Result:
    async def work() -> Result:
        async with api_of(fake) as api:
            with journal:
                return await carry_out(plan, api, Control(witness=journal))

    return run(work())


def begun(path: Path, plan: Prepared) -> Journal:
    return Journal.begin(path, plan, destination="http://fake.test/api", created=CREATED)


def variables(*names: str) -> Bundle:
    source = FakePrefect()
    with speaking_to(source) as api:
        for name in names:
            api.post("/variables/", name=name, value=1)
    return bundle_of(source)


def test_all_that_is_intended_is_on_disk_before_the_first_write(tmp_path: Path) -> None:
    """The head and a line for each resource to be made are there, for nobody else to read, before anything is sent."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"

    with begun(path, prepared(fake, variables("a", "b"))):
        lines = [msgspec.json.decode(line) for line in path.read_bytes().splitlines()]

    assert fake.writes == []
    assert lines[0]["destination"] == "http://fake.test/api"
    assert [line["make"]["key"] for line in lines[1:]] == ["variable:a", "variable:b"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_creation_is_noted_before_and_after(tmp_path: Path) -> None:
    """A creation that was never answered is known to have been tried."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    plan = prepared(fake, variables("a", "b"))

    async def work() -> None:
        async with api_of(fake, killing(fake, 1, is_sent=True)) as api:
            with begun(path, plan) as journal:
                await carry_out(plan, api, Control(witness=journal))

    with pytest.raises((KilledError, BaseExceptionGroup)):
        run(work())
    found = read(path)
    assert {each.key for each in found.to_make} == {"variable:a", "variable:b"}
    assert len(found.made) <= 1


def test_a_receipt_replaces_nothing(tmp_path: Path) -> None:
    """A file of that name is left as it is, and the import does not begin."""
    path = tmp_path / "receipt"
    path.write_text("mine")

    with pytest.raises(OutputError):
        begun(path, prepared(FakePrefect(seed=1), variables("a")))
    assert path.read_text() == "mine"


class Full(io.BytesIO):
    """A file on a disk that is full after some lines."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self._left = most
        self.kept = b""

    def write(self, data: Any) -> int:
        self._left -= 1
        if self._left == -1:
            raise OSError(28, "No space left on device")
        self.kept += bytes(data)
        return len(data)

    def fileno(self) -> int:
        raise OSError(28, "No space left on device")


def test_after_a_failure_nothing_more_is_written(tmp_path: Path) -> None:
    """No line comes after one that failed, though there is room again; who runs the import is told once."""
    told: list[str] = []
    file, fake = Full(3), FakePrefect(seed=1)
    journal = Journal(file, tmp_path / "receipt", lambda: told.append("full"))

    result = carried_out(fake, prepared(fake, variables("a", "b", "c")), journal)

    assert result.count("succeeded") == 3
    assert file.kept.count(b"\n") == 3
    assert told == ["full"]
    assert journal.failure is not None
    assert "no space left" in journal.failure.message


@pytest.mark.parametrize(
    ("value", "choices", "expected"),
    [(None, DEFAULT, True), (1, DEFAULT, False), (2, DEFAULT, False), (2, Choices(Conflicts("update")), True)],
    ids=["something to make", "nothing to do", "a difference is left", "an update"],
)
def test_a_receipt_is_written_if_anything_is(value: int | None, choices: Choices, *, expected: bool) -> None:
    """An import that only updates can be taken back, too; one that writes nothing cannot."""
    fake = FakePrefect(seed=1)
    if value is not None:
        with speaking_to(fake) as api:
            api.post("/variables/", name="a", value=value)

    assert is_needed(prepared(fake, variables("a"), choices)) is expected


def test_what_an_earlier_run_began_is_ours_too(tmp_path: Path) -> None:
    """An import that only finishes what one that was killed had made has a receipt, and it names that."""
    source, fake, path = FakePrefect(), FakePrefect(seed=1), tmp_path / "receipt"
    with speaking_to(source) as api:
        api.post("/automations/", name="a", trigger=when(), actions=[{"type": "do-nothing"}])
    bundle = bundle_of(source)
    with pytest.raises(BaseExceptionGroup):
        import_into(fake, bundle, killing(fake, 1, is_sent=False))
    (row,) = fake.rows("automations")

    plan = prepared(fake, bundle)
    assert [action.verb for action in plan.plan.actions] == ["complete"]
    assert is_needed(plan)
    carried_out(fake, plan, begun(path, plan))

    receipt = read(path)
    assert receipt.made == {"automation:a": row["id"]}
    assert [each.key for each in receipt.to_make] == ["automation:a"]


def test_a_receipt_that_appears_meanwhile_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where it came after it was looked for."""
    path = tmp_path / "receipt"
    path.write_text("another")
    monkeypatch.setattr("bundle.operations.journal.check_target", lambda *_, **__: None)

    with pytest.raises(OutputError):
        begun(path, prepared(FakePrefect(seed=1), variables("a")))
    assert path.read_text() == "another"


def test_a_secret_that_is_filled_in_is_noted(tmp_path: Path) -> None:
    """The resource is in the receipt as it was, without any secret, so that a rollback can say that it keeps it."""
    path = tmp_path / "receipt"
    plan = prepared(arrived(), seeded(), secrets={SUPPLIED_SLOT: SUPPLIED})

    assert is_needed(plan)
    with begun(path, plan):
        pass
    (change,) = read(path).changes
    assert (change.change.key, change.fields, change.became) == ("block:secret/db-password", ("data",), None)
    assert SUPPLIED not in path.read_text()


def test_what_is_updated_is_kept_as_it_was(tmp_path: Path) -> None:
    """The pre-image has the old value, the place, and the value that the import wrote."""
    fake, path = FakePrefect(seed=1), tmp_path / "receipt"
    with speaking_to(fake) as api:
        api.post("/variables/", name="a", value="old")

    with begun(path, prepared(fake, variables("a"), Choices(Conflicts("update")))):
        pass

    (change,) = read(path).changes
    assert (change.change.body["value"], change.places, change.fields) == ("old", ("/value",), ("value",))
    assert change.became is not None
    assert change.became.body["value"] == 1
    assert change.id == fake.rows("variables")[0]["id"]
