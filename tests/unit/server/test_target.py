"""bundle.server.target: a server shows no secret."""

from __future__ import annotations

import pickle

import msgspec
import pytest

from support.fake_server import CANARY
from support.profiles import profiles_of, target_of


def test_secrets_show_nowhere() -> None:
    """A target shows no secret in repr, str, formats, JSON or a pickle."""
    target = target_of(PREFECT_API_KEY=CANARY, PREFECT_CLIENT_CUSTOM_HEADERS={"X": CANARY})
    shown = f"{target} {target!r} {target.credentials}"
    assert CANARY not in shown + str(target.credentials) + repr(target.headers)
    assert CANARY not in repr(profiles_of(a={"PREFECT_API_KEY": CANARY}))
    with pytest.raises(TypeError):
        msgspec.json.encode(target)
    with pytest.raises(TypeError):
        pickle.dumps(target.credentials)
