"""bundle.server.profile_files: the profiles file is where Prefect finds it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle.errors import ProfileError
from bundle.server.profiles import resolve
from support.fake_server import CANARY
from support.profiles import URL, load


def _write(path: Path, name: str = "found") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'active = "{name}"\n[profiles.{name}]\nPREFECT_API_URL = "{URL}"\n')


def test_without_a_file_the_packaged_profiles_are_known(home: Path) -> None:
    """Where there is no profiles file, the four profiles that Prefect ships are known."""
    profiles = load(home)
    assert sorted(profiles.tables) == ["cloud", "ephemeral", "local", "test"]
    assert resolve(profiles, "local", {}).url == "http://127.0.0.1:4200/api"


@pytest.mark.parametrize(
    "text",
    [
        "PREFECT_PROFILES_PATH=p.toml",
        'export PREFECT_PROFILES_PATH="p.toml" # x',
        "PREFECT_PROFILES_PATH = 'p.toml'",
        "prefect_profiles_path=p.toml",
        "PREFECT_PROFILES_PATH=other.toml\nPREFECT_PROFILES_PATH=p.toml",
        "NAME=p\nPREFECT_PROFILES_PATH=${NAME}.toml",
        "PREFECT_PROFILES_PATH=${FOUND}",
        "PREFECT_PROFILES_PATH=${NOT_SET:-p.toml}",
        "a line of another program\nPREFECT_PROFILES_PATH=p.toml",
    ],
)
def test_path_from_dotenv(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    """A .env file in the working directory may name the profiles file, in all the ways that Prefect reads."""
    monkeypatch.setenv("FOUND", "p.toml")
    (home / "cwd" / ".env").write_text(f"OTHER=1\n{text}\n")
    _write(home / "cwd" / "p.toml")
    assert "found" in load(home).tables
    assert caplog.text == ""


@pytest.mark.parametrize("text", ["# PREFECT_PROFILES_PATH=p.toml", "PREFECT_PROFILES_PATH=", "PREFECT_PROFILES_PATH"])
def test_a_dotenv_that_names_no_path(home: Path, text: str) -> None:
    """A comment, and a name without a value, are no path."""
    (home / "cwd" / ".env").write_text(text)
    _write(home / ".prefect" / "profiles.toml")
    assert "found" in load(home).tables


@pytest.mark.parametrize(
    ("name", "text"),
    [("prefect.toml", 'profiles_path = "p.toml"'), ("pyproject.toml", '[tool.prefect]\nprofiles_path = "p.toml"')],
)
def test_path_from_toml(home: Path, name: str, text: str) -> None:
    """prefect.toml and pyproject.toml in the working directory may name the profiles file."""
    (home / "cwd" / name).write_text(text)
    _write(home / "cwd" / "p.toml")
    assert "found" in load(home).tables


def test_order_of_the_places(home: Path) -> None:
    """The environment wins over .env, that over prefect.toml, pyproject.toml, PREFECT_HOME and the home."""
    cwd = home / "cwd"
    for place in ("one", "two", "three", "four"):
        _write(home / f"{place}.toml", place)
    _write(home / "elsewhere" / "profiles.toml", "five")
    _write(home / ".prefect" / "profiles.toml", "six")
    (cwd / ".env").write_text("PREFECT_PROFILES_PATH=~/two.toml")
    (cwd / "prefect.toml").write_text('profiles_path = "~/three.toml"')
    (cwd / "pyproject.toml").write_text('tool.prefect.profiles_path = "~/four.toml"')
    environ = {"PREFECT_PROFILES_PATH": "~/one.toml", "PREFECT_HOME": str(home / "elsewhere")}
    seen = [load(home, environ).active]
    del environ["PREFECT_PROFILES_PATH"]
    for name in (".env", "prefect.toml", "pyproject.toml"):
        seen.append(load(home, environ).active)
        (cwd / name).unlink()
    seen += [load(home, environ).active, load(home).active]
    assert seen == ["one", "two", "three", "four", "five", "six"]


def test_profile_named_like_a_packaged_one_merges(home: Path) -> None:
    """A profile named like a packaged one keeps what it does not set itself."""
    (home / ".prefect" / "profiles.toml").write_text('[profiles.local]\nPREFECT_API_KEY = "k"\n')
    target = resolve(load(home), "local", {})
    assert (target.url, target.auth) == ("http://127.0.0.1:4200/api", "bearer")


@pytest.mark.parametrize(
    "text", [f'[profiles.a]\n\nPREFECT_API_KEY = "{CANARY}\n', f"[profiles.a]\nx = 1\nPREFECT_API_KEY = {CANARY}"]
)
def test_broken_file_names_its_line(home: Path, text: str) -> None:
    """A file that is not TOML is refused with the line, and without what stands in it."""
    (home / ".prefect" / "profiles.toml").write_text(text)
    with pytest.raises(ProfileError, match=r"profiles.toml, line 3: not valid TOML") as caught:
        load(home)
    assert CANARY not in repr(caught.value)


@pytest.mark.parametrize("data", [b"profiles = 1", b"[profiles]\na = 1", b"\xff\xfe"])
def test_strange_files_are_refused(home: Path, data: bytes) -> None:
    """A file of another shape or encoding is refused by name."""
    (home / ".prefect" / "profiles.toml").write_bytes(data)
    with pytest.raises(ProfileError, match=r"profiles\.toml"):
        load(home)


def test_unreadable_file(home: Path) -> None:
    """A path that cannot be read as a file is refused with the system's reason."""
    (home / ".prefect" / "profiles.toml").mkdir()
    with pytest.raises(ProfileError, match=r"cannot be read: Is a directory"):
        load(home)
