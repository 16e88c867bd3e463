"""Files appear whole or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bundle.errors import OutputError
from bundle.files import atomic, check_target


@pytest.fixture(autouse=True, params=["nameless", "named"])
def draft(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Every test holds for systems that have files without a name, and for others."""
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    return str(request.param)


def has_nameless_files(directory: Path) -> bool:
    """Whether the system of this test run has files without a name in this directory."""
    try:
        os.close(os.open(directory, os.O_TMPFILE | os.O_WRONLY))
    except (AttributeError, OSError):
        return False
    return True


def test_a_file_appears_whole_and_private(tmp_path: Path) -> None:
    """The file has its content, mode 0600 and no companions."""
    with atomic(tmp_path / "x", force=False) as file:
        file.write(b"abc")
        assert not (tmp_path / "x").exists()

    assert (tmp_path / "x").read_bytes() == b"abc"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_an_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    """What stands at the place is refused before anything is written."""
    target = tmp_path / "x"
    target.write_bytes(b"old")
    with pytest.raises(OutputError, match="already exists") as caught, atomic(target, force=False):
        pass

    assert target.read_bytes() == b"old"
    assert "--force" in str(caught.value.hint)


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    """A file that another process put there during the work is not replaced."""
    target = tmp_path / "x"
    with pytest.raises(OutputError, match="already exists"), atomic(target, force=False):
        target.write_bytes(b"other")

    assert target.read_bytes() == b"other"
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


def test_force_replaces(tmp_path: Path) -> None:
    """With force the new file takes the place of the old one."""
    (tmp_path / "x").write_bytes(b"old")
    with atomic(tmp_path / "x", force=True) as file:
        file.write(b"new")

    assert (tmp_path / "x").read_bytes() == b"new"


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    """When the block raises, the old file stands and no temporary file is left."""
    (tmp_path / "x").write_bytes(b"old")

    def interrupted() -> None:
        with atomic(tmp_path / "x", force=True) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert (tmp_path / "x").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "x"]


@pytest.mark.parametrize("dangling", [True, False])
def test_a_symlink_is_never_written_through(tmp_path: Path, *, dangling: bool) -> None:
    """A link is refused, and replaced itself with force; what it points at is untouched."""
    target, link = tmp_path / "target", tmp_path / "link"
    if not dangling:
        target.write_bytes(b"precious")
    link.symlink_to(target)
    with pytest.raises(OutputError, match="already exists"):
        check_target(link, force=False)
    with atomic(link, force=True) as file:
        file.write(b"new")

    assert not link.is_symlink()
    assert link.read_bytes() == b"new"
    assert target.exists() is not dangling
    assert dangling or target.read_bytes() == b"precious"


def test_what_is_not_a_regular_file_is_never_replaced(tmp_path: Path) -> None:
    """A directory, a pipe or a link to a device stays, even with force."""
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "null").symlink_to("/dev/null")
    for name in ("directory", "pipe", "null"):
        with pytest.raises(OutputError, match="not a regular file"):
            check_target(tmp_path / name, force=True)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    """A target in no directory is refused with the directory's name."""
    with pytest.raises(OutputError, match="directory does not exist") as caught:
        check_target(tmp_path / "none" / "x", force=False)

    assert "none" in str(caught.value.hint)


def test_an_unwritable_directory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory without write permission is refused before the work."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="not writable"):
        check_target(tmp_path / "x", force=False)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No space left becomes an OutputError that says so, and nothing is left behind."""

    def full(_handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match="no space left on device") as caught, atomic(tmp_path / "x", force=False):
        pass

    assert "free some space" in str(caught.value.hint)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("code", "works"), [(errno.EPERM, True), (errno.EIO, False)])
def test_a_file_system_without_links_is_served(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, *, works: bool
) -> None:
    """Where hard links do not exist the file is renamed; any other failure is told."""

    def refuse(*_: Any) -> None:
        raise OSError(code, "refused")

    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    monkeypatch.setattr(os, "link", refuse)
    if works:
        with atomic(tmp_path / "x", force=False) as file:
            file.write(b"abc")
    else:
        with pytest.raises(OutputError, match="refused"), atomic(tmp_path / "x", force=False):
            pass

    assert [path.name for path in tmp_path.iterdir()] == (["x"] if works else [])


WRITE = """
import sys, time
from pathlib import Path
from bundle.files import atomic
with atomic(Path(sys.argv[1]), force=len(sys.argv) > 2) as file:
    file.write(b"half of it")
    file.flush()
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("draft", ["nameless"], indirect=True)
@pytest.mark.parametrize("force", [False, True])
def test_a_killed_process_leaves_nothing(tmp_path: Path, *, force: bool) -> None:
    """After kill -9 in the middle of writing, the directory is as it was."""
    if not has_nameless_files(tmp_path):
        pytest.skip("here a file has a name, which stays")
    if force:
        (tmp_path / "x").write_bytes(b"old")
    before = list(tmp_path.iterdir())
    command = [sys.executable, "-c", WRITE, str(tmp_path / "x"), *(["force"] if force else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.kill()

    assert list(tmp_path.iterdir()) == before
