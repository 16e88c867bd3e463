"""The files that Prefect keeps its profiles in: where they are, and reading them."""

from __future__ import annotations

import io
import logging
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bundle.errors import ProfileError
from bundle.files import LIMITS, read_whole


def profiles_path(environ: Mapping[str, str], home: Path, cwd: Path) -> Path:
    """Where the profiles file is, or would be.

    The places searched are Prefect's own: ``PREFECT_PROFILES_PATH`` in the
    environment, in ``.env``, ``profiles_path`` in ``prefect.toml`` and in
    ``pyproject.toml`` under ``[tool.prefect]``, then ``$PREFECT_HOME`` and ``~/.prefect``.

    Raises:
        ProfileError: a file on the way cannot be read.
    """
    named = (
        environ.get("PREFECT_PROFILES_PATH")
        or _dotenv_profiles_path(cwd / ".env")
        or _toml_profiles_path(cwd / "prefect.toml", ())
        or _toml_profiles_path(cwd / "pyproject.toml", ("tool", "prefect"))
    )
    if named:
        return absolute(named, home, cwd)
    return prefect_home(environ.get("PREFECT_HOME"), home, cwd) / "profiles.toml"


def prefect_home(named: str | None, home: Path, cwd: Path) -> Path:
    """Where Prefect keeps its data, given what ``PREFECT_HOME`` says."""
    return absolute(named, home, cwd) if named else home / ".prefect"


def absolute(text: str, home: Path, cwd: Path) -> Path:
    """The path in a setting: below the home where it begins with a tilde, else below the working directory."""
    if text == "~" or text.startswith("~/"):
        return home / text[2:]
    return cwd / text


def _dotenv_profiles_path(path: Path) -> str | None:
    """What a ``.env`` file says, read as pydantic-settings, hence Prefect, reads it.

    The name may be in any case, and the last one wins; ``${NAME}`` is replaced
    by an earlier line, else by the environment of the process.
    """
    text = _read_text(path)
    if "PREFECT_PROFILES_PATH" not in text.upper():  # most files; importing the library takes 50 ms
        return None
    from dotenv import dotenv_values  # noqa: PLC0415

    # Of lines that it cannot read it would warn on stderr, without naming the file.
    logging.getLogger("dotenv.main").setLevel(logging.ERROR)
    values = dotenv_values(stream=io.StringIO(text))
    return {name.upper(): value for name, value in values.items()}.get("PREFECT_PROFILES_PATH")


def _toml_profiles_path(path: Path, keys: tuple[str, ...]) -> str | None:
    table: Any = read_toml(path)
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    value = table.get("profiles_path") if isinstance(table, dict) else None
    return value if isinstance(value, str) else None


def _read_text(path: Path) -> str:
    """The text of a file, empty where there is none."""
    try:
        return read_whole(path, LIMITS.document_bytes).decode("utf-8-sig")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise ProfileError(
            f"{path} cannot be read: {error.strerror}", hint="give your user permission to read it"
        ) from None
    except UnicodeDecodeError:
        # Without its cause: the exception carries the bytes of the file.
        raise ProfileError(f"{path} is not UTF-8 text", hint="save it as UTF-8") from None


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a TOML file, empty where there is no file.

    Raises:
        ProfileError: it cannot be read or is not TOML; the message holds no value.
    """
    text = _read_text(path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # Without its cause: newer Pythons keep the whole document in the exception.
        place = re.search(r"at line (\d+), column (\d+)", str(error))
        line = place[1] if place else str(text.count("\n") + 1)
        raise ProfileError(f"{path}, line {line}: not valid TOML", hint="correct that line") from None
    except (RecursionError, ValueError):
        raise ProfileError(f"{path}: nested too deeply, or with too long a number", hint="correct the file") from None
