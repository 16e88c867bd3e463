"""xfer archive: what is printed, what is refused, and the exit codes."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bundle.archive.directories import DirectoryStore
from bundle.archive.store import Store
from bundle.cli import stores
from support.signers import person

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def archive(shell: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A shell whose ``XFER_STORE`` is a new store."""
    monkeypatch.setenv("XFER_STORE", str(shell.directory / "store"))
    monkeypatch.delenv("XFER_TIMEZONE", raising=False)
    assert shell("archive", "init").code == 0
    return shell


def taken(shell: Any, day: int) -> str:
    """A snapshot of server a whose files are of a day in November; gives its id."""
    before = set((shell.directory / "store").rglob("*"))
    ended = shell("archive", "snapshot", "--from", "a", "--name", "prod", "--json")
    assert ended.code == 0, ended.err
    time = (NOON + (day - 20) * DAY).timestamp()
    for path in set((shell.directory / "store").rglob("*")) - before:
        os.utime(path, (time, time))
    return str(ended.document["snapshots"][0]["id"])


def rows(shell: Any) -> list[dict[str, Any]]:
    found = shell("archive", "list", "--json").document["snapshots"]
    assert isinstance(found, list)
    return found


def test_a_snapshot_comes_back_as_it_was(archive: Any) -> None:
    """Wherever a bundle is taken, STORE//NAME@WHEN is one; the bundle is an ordinary file."""
    taken(archive, 20)
    archive.a.variables.pop()
    taken(archive, 21)
    for when, count in (("latest", 1), ("2026-11-20", 2), ("2026-11-20T11:59+00:00", 64), ("2026-11-21T23:59", 1)):
        ended = archive("inspect", f"//prod@{when}", "--json")
        if count == 64:
            assert (ended.code, "no such snapshot" in ended.err) == (64, True)
        else:
            assert ended.document["summary"]["exported"] == count
    assert archive("import", "//prod@2026-11-20", "--to", "b").code == 0
    assert sorted(each["name"] for each in archive.b.variables) == ["region", "retries"]
    assert archive("diff", "//prod@2026-11-20", "//prod@2026-11-21", "--json").document["summary"]["removed"] == 1
    (file, _) = (archive.directory / "store").rglob("*.pxb")
    assert archive("verify", str(file)).code == 0


def test_an_unchanged_environment_costs_less_than_a_kilobyte(archive: Any) -> None:
    """And is a snapshot like any other."""
    first = taken(archive, 20)
    size = sum(path.stat().st_size for path in archive.directory.rglob("store/**/*") if path.is_file())
    second = taken(archive, 21)
    now = sum(path.stat().st_size for path in archive.directory.rglob("store/**/*") if path.is_file())
    assert now - size < 1024
    assert [(each["id"], each["same_as"], each["changed"]) for each in rows(archive)] == [
        (first, None, True),
        (second, first, False),
    ]
    assert archive("verify", f"//prod@{second}").code == 0


def test_a_log_says_when_each_came_changed_and_went(archive: Any) -> None:
    """Of one resource field by field, and of the whole environment; what did not change is no step."""
    taken(archive, 18)
    archive.a.variables[0]["value"] = "us"
    taken(archive, 19)
    taken(archive, 20)
    archive.a.variables.pop(0)
    taken(archive, 21)
    ended = archive("archive", "log", "//prod", "variable:region", "--json")
    assert [
        (step["time"][:10], each["action"], [(one["destination"], one["bundle"]) for one in each["differences"]])
        for step in ended.document["history"]
        for each in step["resources"]
    ] == [
        ("2026-11-18", "add", []),
        ("2026-11-19", "change", [("eu", "us")]),
        ("2026-11-21", "remove", []),
    ]
    assert [step["time"][:10] for step in archive("archive", "log", "//prod", "--json").document["history"]] == [
        "2026-11-19",
        "2026-11-21",
    ]
    since = archive("archive", "log", "//prod", "--since", "2026-11-20", "--json").document
    assert [step["time"][:10] for step in since["history"]] == ["2026-11-21"]
    ended = archive("archive", "log", "//prod", "variable:nowhere")
    assert (ended.code, "no snapshot has variable:nowhere" in ended.err) == (64, True)


def test_a_log_lists_the_store_once(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many snapshots there are, and what has not changed is not read again."""
    for day in (18, 19, 20):
        taken(archive, day)
    asked: list[str] = []
    listing, reading = DirectoryStore.list, DirectoryStore.read

    def counted_list(self: DirectoryStore, prefix: str) -> Any:
        asked.append("list")
        return listing(self, prefix)

    def counted_read(self: DirectoryStore, name: str, most: int) -> bytes:
        asked.append(name[-4:])
        return reading(self, name, most)

    monkeypatch.setattr(DirectoryStore, "list", counted_list)
    monkeypatch.setattr(DirectoryStore, "read", counted_read)
    assert archive("archive", "log", "//prod").code == 0
    assert (asked.count("list"), asked.count(".pxb")) == (1, 1)


def test_forget_keeps_what_its_rules_say(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial removes nothing; the real one does; both say why in ``keep`` and ``remove``."""
    known = [taken(archive, day) for day in (18, 19, 20)]
    monkeypatch.setattr(stores, "now", lambda: NOON + 2 * DAY)
    trial = archive("archive", "forget", "//prod", "--keep-last", "1", "--dry-run", "--json")
    assert (trial.code, len(rows(archive))) == (0, 3)
    assert [each["id"] for each in trial.document["remove"]] == known[1::-1]
    assert trial.document["keep"] == [{"id": known[2], "reasons": ["last", "newest-complete"]}]
    done = archive("archive", "forget", "--keep-last", "1")
    assert (done.code, [each["id"] for each in rows(archive)]) == (0, known[2:])
    assert done.out.endswith("1 kept, 2 removed\n")
    assert archive("archive", "check", "--read-data").code == 0


def test_a_pinned_snapshot_stays(archive: Any) -> None:
    """With its reason in the list, until the pin is taken away."""
    first, _ = taken(archive, 18), taken(archive, 19)
    assert archive("archive", "pin", f"//prod@{first}", "--reason", "before 2.0").code == 0
    archive("archive", "forget", "--keep-last", "1")
    assert [each["pinned"] for each in rows(archive)] == ["before 2.0", None]
    assert archive("archive", "unpin", f"//prod@{first}").code == 0
    archive("archive", "forget", "--keep-last", "1")
    assert [each["pinned"] for each in rows(archive)] == [None]


def test_what_stays_for_a_cause_is_exit_code_3(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot that lost most of its resources displaces none, and somebody is told."""
    for number in range(8):
        archive.a.add(f"v{number}", number)
    first = taken(archive, 18)
    archive.a.variables[:] = archive.a.variables[:1]
    second = taken(archive, 19)
    monkeypatch.setattr(stores, "now", lambda: NOON + DAY)
    ended = archive("archive", "forget", "--keep-last", "1", "--json")
    assert ended.code == 3
    assert {each["id"]: each["reasons"] for each in ended.document["keep"]} == {
        second: ["shrunk", "newest-complete"],
        first: ["last"],
    }


def test_a_policy_that_keeps_nothing_is_misuse(archive: Any) -> None:
    """And so is what is no number, duration, subset, name, zone or address."""
    taken(archive, 20)
    for arguments in (
        ["forget"],
        ["forget", "--keep-last", "0"],
        ["forget", "--keep-last", "many"],
        ["forget", "--keep-within", "soon"],
        ["check", "--read-data-subset", "3/2"],
        ["check", "--read-data-subset", "1/2", "--read-data"],
        ["snapshot", "--from", "a", "--name", "../x"],
        ["list", "--timezone", "Nowhere/Else"],
        ["pin", "//prod", "--reason"],
        ["log", "nothing"],
        ["list", "ftp://host/x"],
        ["list", str(archive.directory)],
    ):
        ended = archive("archive", *arguments)
        assert (arguments, ended.code, ended.err.startswith("xfer: error: ")) == (arguments, 64, True)
    assert len(rows(archive)) == 1


def test_damage_is_named_and_is_exit_code_4(archive: Any) -> None:
    """By check, and by whoever wants the bundle; a good check is noted in the list, a bad one is not."""
    id_ = taken(archive, 20)
    assert archive("archive", "check", "--read-data").code == 0
    assert rows(archive)[0]["checked"] is not None
    (file,) = (archive.directory / "store").rglob("*.pxb")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(bytes(data))
    assert archive("archive", "check").code == 0
    ended = archive("archive", "check", "--read-data", "--json")
    assert (ended.code, [each["points"] for each in ended.document["faults"]]) == (4, [[id_]])
    assert rows(archive)[0]["checked"] is None
    assert archive("import", "//prod@latest", "--to", "b").code == 4
    assert archive.b.writes == []


def test_a_signed_snapshot_is_judged_like_a_file(archive: Any) -> None:
    """By whoever reads it; an unchanged one shares the signature, and one that is not signed is refused."""
    person("ed25519").write(archive.directory / "key")
    (archive.directory / "signers").write_text(f"alice {person('ed25519').line}\n")
    taken(archive, 18)
    for _ in range(2):
        assert archive("archive", "snapshot", "--from", "a", "--name", "prod", "--sign", "key").code == 0
    found = rows(archive)
    assert [(len(each["signers"]), each["same_as"]) for each in found] == [(0, None), (1, None), (1, found[1]["id"])]
    trusted = ["--allowed-signers", "signers"]
    assert archive("verify", f"//prod@{found[2]['id']}", *trusted).code == 0
    assert archive("import", f"//prod@{found[0]['id']}", "--to", "b", *trusted).code == 4
    assert archive.b.requests == []


def test_a_torn_reading_is_an_incomplete_snapshot(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stored, told, exit code 3, and never the only one that stays."""
    from bundle.operations import export  # noqa: PLC0415 - as the export command does

    async def torn(*_: object) -> tuple[str, ...]:
        return ("variable",)

    monkeypatch.setattr(export, "_changed", torn)
    ended = archive("archive", "snapshot", "--from", "a", "--name", "prod")
    assert (ended.code, "incomplete: variable" in ended.out) == (3, True)
    assert [each["complete"] for each in rows(archive)] == [False]


def test_days_are_those_of_the_zone(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that is given or set, which the printed times show."""
    taken(archive, 20)
    monkeypatch.setenv("XFER_TIMEZONE", "Pacific/Kiritimati")
    assert archive("inspect", "//prod@2026-11-20").code == 64
    assert archive("inspect", "//prod@2026-11-21").code == 0
    assert "2026-11-21T02:00:00+14:00" in archive("archive", "list").out


def test_without_the_extra_a_bucket_names_it(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a bucket needs it."""
    monkeypatch.setitem(__import__("sys").modules, "obstore", None)
    ended = shell("archive", "list", "s3://bucket/x")
    assert (ended.code, "pip install 'xfer[archive]'" in ended.err) == (64, True)


def test_no_store_is_written_when_the_source_is_away(archive: Any) -> None:
    """The export comes first."""
    before = sorted(archive.directory.rglob("store/**/*"))
    archive.a.answer = lambda _: __import__("httpx").Response(403, json={})
    assert archive("archive", "snapshot", "--from", "a").code == 5
    assert sorted(archive.directory.rglob("store/**/*")) == before


def test_the_document_is_one_json_document(archive: Any) -> None:
    """Of every command, an error too."""
    taken(archive, 20)
    for arguments in (["list"], ["check"], ["log", "//prod"], ["forget", "--keep-last", "1"], ["list", "/nowhere"]):
        assert json.loads(archive("archive", *arguments, "--json").out)["command"].startswith("archive")


def test_a_store_is_a_store() -> None:
    """Both sorts are what the archive works with."""
    found: Store = DirectoryStore(Path("x"))
    assert found.url == "x"
