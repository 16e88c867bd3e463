"""xfer split, and reading what was split."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from support.signers import person

ALICE = person("ed25519")


@pytest.fixture
def parts(shell: Any) -> Any:
    """A shell with a signed bundle in parts of 500 bytes, on two media without write permission; the whole is gone."""
    ALICE.write(Path("alice"))
    Path("signers").write_text(f"alice@example.com {ALICE.line}\n")
    assert shell("export", "--from", "a", "-o", "env.pxb", "--sign", "alice").code == 0
    for name in ("one", "two"):
        Path(name).mkdir()
    ended = shell("split", "env.pxb", "--size", "500", "-o", "one")
    assert ended.code == 0
    assert "written: one/env.pxb.001-of-" in ended.out
    shell.whole = Path("env.pxb").read_bytes()
    Path("env.pxb").unlink()
    Path("env.pxb.sig").rename("two/env.pxb.sig")
    names(shell)[1].rename(Path("two") / names(shell)[1].name)
    return shell


def names(_shell: Any) -> list[Path]:
    return sorted([*Path("one").glob("*-of-*"), *Path("two").glob("*-of-*")], key=lambda each: each.name)


def verify(shell: Any, *more: str) -> Any:
    return shell("verify", "one/env.pxb.parts", "--allowed-signers", "signers", *more, "--json")


def test_a_bundle_is_read_from_its_parts(parts: Any) -> None:
    """From several directories in any order, with its signature, and by every command that reads a bundle."""
    assert verify(parts, "--parts-from", "two").document["signatures"]["state"] == "verified"
    more = ("--parts-from", "two", "--allowed-signers", "signers")
    assert parts("import", "one/env.pxb.parts", "--to", "b", "--no-receipt", *more).code == 0
    assert len(parts.b.variables) == 2


def test_a_missing_part_is_named(parts: Any) -> None:
    """With the directories in which it was looked for."""
    ended = verify(parts)

    assert (ended.code, ended.document["error"]["reason"]) == (4, "part-missing")
    assert "env.pxb.002-of-" in ended.document["error"]["message"]
    assert "one" in ended.document["error"]["message"]


def test_a_part_that_was_changed_is_named(parts: Any) -> None:
    """Every part, by a single bit."""
    for path in names(parts):
        good = path.read_bytes()
        path.write_bytes(good[:-1] + bytes((good[-1] ^ 1,)))
        ended = verify(parts, "--parts-from", "two")
        assert (ended.code, ended.document["error"]["reason"]) == (4, "part-altered")
        assert path.name in ended.document["error"]["message"]
        path.write_bytes(good)


def test_stock_programs_join_the_parts(parts: Any) -> None:
    """Cat makes the whole of them, and sha256sum checks all against the list."""
    Path("whole").mkdir()
    for path in [*names(parts), Path("one/env.pxb.parts")]:
        (Path("whole") / path.name).write_bytes(path.read_bytes())
    script = "cat env.pxb.*-of-* > env.pxb && sha256sum -c env.pxb.parts"
    done = subprocess.run(["sh", "-c", script], cwd="whole", capture_output=True, check=False)

    assert done.returncode == 0, done.stderr
    assert Path("whole/env.pxb").read_bytes() == parts.whole


@pytest.mark.parametrize("size", ["0", "-1", "1.5GB", "many", "1"])
def test_a_size_that_makes_no_parts_is_wrong_usage(shell: Any, size: str) -> None:
    """Nothing is written then."""
    shell.bundle()
    before = sorted(Path().iterdir())

    assert shell("split", "env.pxb", "--size", size).code == 64
    assert sorted(Path().iterdir()) == before


def test_sizes_have_units(shell: Any) -> None:
    """A small bundle is one part of a mebibyte."""
    shell.bundle()
    ended = shell("split", "env.pxb", "--size", "1MiB")
    assert ended.out == "written: env.pxb.001-of-001\nwritten: env.pxb.parts\n"
