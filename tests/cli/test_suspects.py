"""--suspects: what becomes of values that look like secrets, and that none of them is shown."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bundle.record.suspects import suspects
from support.secrets_corpus import cases

SHORTEST = 6
MOST_OF_THEM = 100


def test_fail_writes_nothing_and_lists_every_place(shell: Any) -> None:
    """With --suspects fail an export ends with 1, and says where; no value is printed, and there is no file."""
    shell.a.add("db_password", "canary-1")
    shell.a.add("settings", {"token": "canary-2"})
    for command in (("export", "--from", "a"), ("transfer", "--from", "a", "--to", "b")):
        ended = shell(*command, "-o", "env.pxb", "--suspects", "fail", "--json")
        assert (ended.code, ended.document["error"]["code"]) == (1, "SecretsSuspected")
        assert "variable:db_password at /value" in ended.document["error"]["message"]
        assert "variable:settings at /value/token" in ended.document["error"]["message"]
        assert "canary" not in ended.out + ended.err
        assert not (shell.directory / "env.pxb").exists()
    assert shell.b.writes == []


def test_fail_is_no_failure_where_nothing_is_suspected(shell: Any) -> None:
    """An environment without suspects is exported as ever."""
    assert shell("export", "--from", "a", "-o", "env.pxb", "--suspects", "fail").code == 0


@pytest.mark.parametrize("option", [("--redact",), ("--suspects", "redact"), ("--redact", "--suspects", "redact")])
def test_redacted_values_come_back_exactly(shell: Any, option: tuple[str, ...]) -> None:
    """What was taken out is not in the bundle, and an import with the secrets file puts it where it was."""
    shell.a.add("db_password", 271828)
    shell.a.add("load", {"command": "psql postgres://u:canary@db/x", "region": "eu"})
    shell("export", "--from", "a", "-o", "env.pxb", *option)
    slots = {"variable:db_password#/value": 271828, "variable:load#/value/command": "psql postgres://u:canary@db/x"}
    (shell.directory / "secrets.json").write_text(json.dumps(slots))

    inspected = shell("inspect", "env.pxb", "--json").document
    assert {each["slot"] for each in inspected["secrets"]} == slots.keys()
    assert shell("import", "env.pxb", "--to", "b", "--secrets", "secrets.json").code == 0
    assert {each["name"]: each["value"] for each in shell.b.variables} == {
        each["name"]: each["value"] for each in shell.a.variables
    }


@pytest.mark.parametrize("policy", ["carry", "fail"])
def test_contradicting_options(shell: Any, policy: str) -> None:
    """--redact with another policy is misuse, before any request."""
    ended = shell("export", "--from", "a", "-o", "env.pxb", "--redact", "--suspects", policy)
    assert (ended.code, shell.a.requests) == (64, [])


def test_no_suspect_is_ever_shown(shell: Any) -> None:
    """Whatever command reads, compares or moves the corpus, in full and as JSON, no secret of it is printed."""
    parts = set()
    for number, case in enumerate(cases()):
        if case.secrets:
            shell.a.add(f"v{number}", case.body)
            shell.b.add(f"v{number}", _edited(case.body))
            found = suspects({"value": case.body})
            known = [each for place, each in case.secrets.items() if f"/value{place}" in found]
            parts |= {part for each in known for part in each if len(part) >= SHORTEST}
    assert len(parts) > MOST_OF_THEM
    shell("export", "--from", "b", "-o", "older.pxb")
    for command in (
        ("export", "--from", "a", "-o", "env.pxb"),
        ("inspect", "env.pxb"),
        ("verify", "env.pxb", "--to", "b"),
        ("diff", "older.pxb", "env.pxb"),
        ("plan", "env.pxb", "--to", "b", "-o", "plan.json"),
        ("import", "env.pxb", "--to", "b", "--on-conflict", "update", "--receipt", "r"),
    ):
        for form in (("-v",), ("--json", "-v"), ()):
            ended = shell(*command, *form, *(("--force",) if "-o" in command else ()))
            shown = ended.out + ended.err
            assert [part for part in parts if part in shown] == []
    saved = (shell.directory / "plan.json").read_text()
    assert [part for part in parts if part in saved] == []


def _edited(value: Any) -> Any:
    """The same with other texts, so that every place differs and is shown."""
    if isinstance(value, dict):
        return {name: _edited(each) if name not in {"name", "type"} else each for name, each in value.items()}
    if isinstance(value, list):
        return [_edited(each) for each in value]
    return f"{value} edited" if isinstance(value, str) else value
