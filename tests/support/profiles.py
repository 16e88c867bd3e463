"""Profiles written down in a test, and what they resolve to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundle.errors import ProfileError
from bundle.server.profiles import Profiles, load_profiles, resolve
from bundle.server.target import Target

A, W = "11111111-2222-3333-4444-555555555555", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
CLOUD = f"https://api.prefect.cloud/api/accounts/{A}/workspaces/{W}"
URL = "http://server.test:4200/api"


def profiles_of(**tables: dict[str, Any]) -> Profiles:
    """Profiles with these settings."""
    return Profiles(path=Path("profiles.toml"), tables=tables)


def target_of(environ: dict[str, str] | None = None, **settings: Any) -> Target:
    """The server of a profile with these settings; its URL is ``URL`` unless they say otherwise."""
    return resolve(profiles_of(a={"PREFECT_API_URL": URL, **settings}), "a", environ or {})


def refusal_of(**settings: Any) -> ProfileError:
    """Why a profile with these settings is refused."""
    with pytest.raises(ProfileError) as caught:
        target_of(**settings)
    return caught.value


def load(home: Path, environ: dict[str, str] | None = None) -> Profiles:
    """The profiles of a user with this home, whose working directory is ``cwd`` in it."""
    return load_profiles(environ or {}, home, home / "cwd")
