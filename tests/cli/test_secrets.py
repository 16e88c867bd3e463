"""xfer secrets template, and the values given to an import."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from bundle.container.reader import read_bundle
from support.commands import GOLDEN


def test_secrets_template_can_be_filled_in(shell: Any) -> None:
    """The template has each slot with its variable, is kept from others, and is TOML with empty values."""
    ended = shell("secrets", "template", GOLDEN, "-o", "secrets.toml")
    assert ended.code == 0
    path = shell.directory / "secrets.toml"
    assert path.stat().st_mode & 0o777 == 0o600
    slots = [each.slot for each in read_bundle(Path(GOLDEN)).manifest.secrets]
    assert tomllib.loads(path.read_text()) == dict.fromkeys(slots, "")
    assert "XFER_SECRET_BLOCK_SECRET_DB_DATA_VALUE" in shell("secrets", "template", GOLDEN).out


def test_secret_is_required(shell: Any) -> None:
    """--missing-secrets fail ends with exit code 6 before any write."""
    ended = shell("import", GOLDEN, "--to", "b", "--missing-secrets", "fail")
    assert (ended.code, shell.b.writes) == (6, [])
    assert "hint: supply them with --secrets FILE" in ended.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = ", "not a file of secrets in TOML, at its end"),
        ("a = 1\nb:c = 2", "not a file of secrets in TOML, line 2"),
        ('{"a": 1,\n"b" 2}', "not a file of secrets in JSON, line 2"),
        ('"block:none#/x" = "v"', "the bundle has no secret slot 'block:none#/x'"),
        ('"deployment:etl/nightly/job_variables/keys" = "canary"', "must be JSON of type array"),
        ('"deployment:etl/nightly/job_variables/keys" = 1', "is not of type array"),
        ('"block:secret/db/data/value" = 2020-01-01', ""),
    ],
)
def test_wrong_secrets_file(shell: Any, text: str, message: str) -> None:
    """A secrets file that does not fit is wrong usage, reported without its values, before any request."""
    (shell.directory / "secrets.toml").write_text(text)
    ended = shell("import", GOLDEN, "--to", "b", "--no-receipt", "--secrets", "secrets.toml")
    assert message in ended.err
    assert "canary" not in ended.err
    assert (ended.code, shell.b.requests) == (64, []) or message == ""


def test_secrets_may_come_as_json(shell: Any) -> None:
    """A secrets file that is a JSON object works as a TOML one, and a broken one is refused without quoting it."""
    (shell.directory / "secrets.json").write_text('{"no such slot": "s3cret"}')
    (shell.directory / "broken.json").write_text('{"slot": "s3cret"')

    file = shell.bundle()

    for name in ("secrets.json", "broken.json"):
        ended = shell("import", file, "--to", "b", "--secrets", name)
        assert ended.code == 64
        assert "s3cret" not in ended.out + ended.err


def test_readable_secrets_file_is_warned_of(shell: Any) -> None:
    """A secrets file that others can read gets a warning with the remedy."""
    (shell.directory / "secrets.toml").write_text("")
    (shell.directory / "secrets.toml").chmod(0o644)
    assert "chmod 600" in shell("plan", GOLDEN, "--to", "b", "--secrets", "secrets.toml").err
    assert shell("plan", GOLDEN, "--to", "b", "--secrets", "none.toml").code == 64
