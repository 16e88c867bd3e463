"""Single settings of a profile, which may be strings or TOML scalars. Pure; no message quotes a value."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from bundle.errors import ProfileError

Settings = Mapping[str, Any]

_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})
_FALSE = frozenset({"0", "false", "f", "no", "n", "off"})


def text_of(settings: Settings, name: str) -> str:
    """A setting as a string, without the newline that files end in; empty where it is not set."""
    value = settings.get(name)
    if value is None:
        return ""
    text = json.dumps(value) if isinstance(value, bool | dict | list) else str(value)
    return text.removesuffix("\n").removesuffix("\r")


def flag_of(settings: Settings, name: str, origin: str, *, default: bool) -> bool:
    """A setting that is true or false; raises ``ProfileError`` for anything else."""
    text = text_of(settings, name).strip().lower()
    if text in _TRUE | _FALSE:
        return text in _TRUE
    if text:
        raise ProfileError(f"{origin}: {name} must be true or false", hint="set it to true or false")
    return default


def number_of(settings: Settings, name: str) -> float | None:
    """A setting as a number, ``nan`` where it is not one; None where it is not set."""
    text = text_of(settings, name).strip()
    try:
        return float(text) if text else None
    except ValueError:
        return math.nan


def seconds_of(settings: Settings, name: str, origin: str, *, default: float) -> float:
    """A setting that is a time; raises ``ProfileError`` for anything else."""
    value = number_of(settings, name)
    if value is not None and not 0 < value < math.inf:
        raise ProfileError(f"{origin}: {name} must be a number of seconds greater than 0", hint="for example 60")
    return default if value is None else value
