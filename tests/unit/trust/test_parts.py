"""bundle.trust.parts: a file in parts, put together from anywhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle.errors import OutputError, UsageError
from bundle.trust import digests, parts
from bundle.trust.parts import Parts, joined, split
from bundle.trust.reasons import Distrusted, Reason
from bundle.trust.wire import MalformedError

CONTENT = bytes(range(256)) * 10


def whole(tmp_path: Path, content: bytes = CONTENT) -> Path:
    path = tmp_path / "env.pxb"
    path.write_bytes(content)
    return path


def in_parts(tmp_path: Path, size: int = 1000) -> tuple[Parts, Path]:
    directory = tmp_path / "parts"
    directory.mkdir()
    return split(whole(tmp_path), size, directory, force=False), directory


def read(found: Parts, *directories: Path) -> bytes:
    with joined(found, directories) as stream:
        return stream.read()


def refused(found: Parts, *directories: Path) -> Distrusted:
    with pytest.raises(Distrusted) as caught:
        read(found, *directories)
    return caught.value


def test_a_file_is_split_into_parts_and_a_list(tmp_path: Path) -> None:
    """Plain byte ranges with speaking names; the list says what each is."""
    found, directory = in_parts(tmp_path)

    names = ["env.pxb.001-of-003", "env.pxb.002-of-003", "env.pxb.003-of-003"]
    assert sorted(path.name for path in directory.iterdir()) == [*names, "env.pxb.parts"]
    assert [(part.name, part.size) for part in found.parts] == list(zip(names, (1000, 1000, 560), strict=True))
    assert b"".join((directory / name).read_bytes() for name in names) == CONTENT
    assert parts.read_file(directory / "env.pxb.parts") == found


@pytest.mark.parametrize(("size", "count"), [(1, 10), (9, 2), (10, 1), (11, 1), (5, 2), (3, 4)])
def test_the_last_part_takes_the_rest(tmp_path: Path, size: int, count: int) -> None:
    """However the sizes fall."""
    found = split(whole(tmp_path, b"0123456789"), size, tmp_path, force=False)

    assert len(found.parts) == count
    assert read(found, tmp_path) == b"0123456789"


def test_stock_tools_check_and_join_by_hand(tmp_path: Path) -> None:
    """``sha256sum -c`` and ``cat`` are enough, and without the whole it is not missed."""
    _, directory = in_parts(tmp_path)
    check = ["sha256sum", "-c", "--strict", "--ignore-missing", "env.pxb.parts"]

    done = subprocess.run(check, cwd=directory, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == 3
    subprocess.run("cat env.pxb.*-of-* > env.pxb", shell=True, cwd=directory, check=True)

    done = subprocess.run(check, cwd=directory, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == 4
    assert (directory / "env.pxb").read_bytes() == CONTENT


def test_parts_come_from_several_places(tmp_path: Path) -> None:
    """In any order, from directories that nobody may write to; nothing is written or deleted."""
    found, directory = in_parts(tmp_path)
    media = [tmp_path / "disc3", tmp_path / "disc1", tmp_path / "disc2"]
    for medium, number in zip(media, (2, 0, 1), strict=True):
        medium.mkdir()
        (directory / found.parts[number].name).rename(medium / found.parts[number].name)
        medium.chmod(0o500)
    before = sorted(tmp_path.rglob("*"))

    assert read(found, *media) == CONTENT
    assert sorted(tmp_path.rglob("*")) == before


def test_the_whole_is_a_stream_for_signatures(tmp_path: Path) -> None:
    """Its digests are those of the file."""
    found, directory = in_parts(tmp_path)

    with joined(found, [directory]) as stream:
        assert digests.of_stream(stream) == digests.of_file(tmp_path / "env.pxb")


def test_missing_parts_are_all_named(tmp_path: Path) -> None:
    """With the places where they were looked for."""
    found, directory = in_parts(tmp_path)
    for number in (0, 2):
        (directory / found.parts[number].name).unlink()

    error = refused(found, directory)

    assert error.reason == Reason.PART_MISSING
    assert error.details == f"env.pxb.001-of-003, env.pxb.003-of-003 not in {directory}"


@pytest.mark.parametrize(
    "change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: b"x" + data[1:], lambda _: b""]
)
def test_a_wrong_part_is_named_with_its_place(tmp_path: Path, change: object) -> None:
    """Cut, longer, changed or empty."""
    found, directory = in_parts(tmp_path)
    part = directory / "env.pxb.002-of-003"
    part.write_bytes(change(part.read_bytes()))  # type: ignore[operator]

    error = refused(found, directory)

    assert error.reason == Reason.PART_ALTERED
    assert error.message.startswith(f"{part}: ")


def test_a_good_copy_is_taken_where_there_are_several(tmp_path: Path) -> None:
    """The second medium helps where the first is scratched."""
    found, directory = in_parts(tmp_path)
    scratched = tmp_path / "scratched"
    scratched.mkdir()
    (scratched / "env.pxb.002-of-003").write_bytes(b"x" * 1000)

    assert read(found, scratched, directory) == CONTENT
    (directory / "env.pxb.002-of-003").write_bytes(b"y" * 1000)
    assert refused(found, scratched, directory).reason == Reason.PART_ALTERED


def test_no_flipped_bit_of_a_list_is_accepted(tmp_path: Path) -> None:
    """Every single bit counts: it is another list, or none; and with another list the parts do not fit."""
    found, directory = in_parts(tmp_path)
    data = parts.write(found)

    def is_accepted(changed: bytes) -> bool:
        try:
            return read(parts.read(changed), directory) is not None
        except (MalformedError, Distrusted):
            return False

    assert is_accepted(data)
    for bit in range(len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        assert not is_accepted(bytes(changed)), bit


@pytest.mark.parametrize(
    "change",
    [
        lambda _: "",
        lambda text: text + "\n",
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.replace("env.pxb", "../env.pxb"),
        lambda text: text.replace("env.pxb", "/etc/env.pxb"),
        lambda text: text.replace("of-003", "of-004"),
        lambda text: text.replace("1000 bytes", "999 bytes", 1),
        lambda text: text.replace("1000 bytes", "01000 bytes", 1),
        lambda text: "\n".join(text.split("\n")[:1] + text.split("\n")[3:]),
        lambda text: "\n".join(text.split("\n")[:-3]) + "\n",
        lambda text: text.split("\n")[0] + "\n",
        lambda text: text + text.split("\n", 1)[1],
        lambda text: text + "#" * 5_000_000,
    ],
)
def test_a_list_has_one_form(tmp_path: Path, change: object) -> None:
    """Other names, sizes, orders, places and lines are refused."""
    found, directory = in_parts(tmp_path)
    path = directory / "env.pxb.parts"
    path.write_bytes(change(parts.write(found).decode()).encode())  # type: ignore[operator]

    with pytest.raises(Distrusted) as caught:
        parts.read_file(path)

    assert caught.value.reason == Reason.PARTS_MALFORMED


@given(st.binary(max_size=400))
def test_no_list_is_a_bug(data: bytes) -> None:
    """Any bytes are a list or malformed; these are too short for one."""
    with pytest.raises(MalformedError):
        parts.read(data[:90])


@pytest.mark.parametrize("size", [0, -1, 2])
def test_parts_are_some_but_not_too_many(tmp_path: Path, size: int) -> None:
    """No size, and more than 999."""
    with pytest.raises(UsageError, match="cannot be split"):
        split(whole(tmp_path), size, tmp_path, force=False)


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    """Not even the first part is written if a later one is there."""
    (tmp_path / "env.pxb.003-of-003").write_bytes(b"mine")

    with pytest.raises(OutputError, match="already exists"):
        split(whole(tmp_path), 1000, tmp_path, force=False)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["env.pxb", "env.pxb.003-of-003"]
    assert read(split(whole(tmp_path), 1000, tmp_path, force=True), tmp_path) == CONTENT
