"""Servers as profiles name them, without a profile."""

from __future__ import annotations

from pathlib import Path

from bundle.server.profiles import Profiles, resolve
from bundle.server.target import Target


def target(where: str | Target) -> Target:
    """The server at a URL; a target is one already."""
    if isinstance(where, Target):
        return where
    return resolve(Profiles(path=Path("none"), tables={}), where, {})
