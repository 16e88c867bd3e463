"""xfer plan: differences are shown, and nothing is written."""

from __future__ import annotations

from typing import Any

from support.commands import GOLDEN


def test_plan_shows_differences_and_writes_nothing(shell: Any) -> None:
    """A plan has a line a resource and both values of a field that differs; --exit-code makes that a 2."""
    shell.bundle()
    shell.b.add("region", "us")
    ended = shell("plan", "env.pxb", "--to", "b")
    assert (ended.code, shell.b.writes) == (0, [])
    assert "~ variable:region  (exists-differs)\n    /value\n      - us\n      + eu\n" in ended.out
    assert "+ variable:retries\n" in ended.out
    assert ended.last_line == ("Plan: 1 create, 0 update, 0 delete, 0 unchanged, 1 different (2 of 2 accounted for)")
    assert shell("plan", "env.pxb", "--to", "b", "--exit-code").code == 2
    assert shell("import", "env.pxb", "--to", "b", "--dry-run").out == ended.out.replace("plan", "import")
    assert shell("transfer", "--from", "a", "--to", "b", "--dry-run").code == 0
    assert shell.b.writes == []


def test_plan_without_differences(shell: Any) -> None:
    """--exit-code gives 0 where the destination has everything as the bundle has it."""
    assert shell("plan", shell.bundle(), "--to", "a", "--exit-code").code == 0


def test_values_that_look_secret_are_not_shown(shell: Any) -> None:
    """Where a differing value looks like a secret, the plan names the place only."""
    shell.a.add("deploy", "ghp_" + "canary" * 6)
    shell.bundle()
    shell.b.add("deploy", "ghp_" + "danger" * 6)
    for extra in ((), ("--json",), ("-v",)):
        ended = shell("plan", "env.pxb", "--to", "b", *extra)
        assert "canary" not in ended.out + ended.err
        assert "danger" not in ended.out + ended.err
    assert "differs; not shown because it looks like a secret" in shell("plan", "env.pxb", "--to", "b").out


def test_a_plan_is_shown_even_where_the_import_would_be_refused(shell: Any) -> None:
    """With a policy to fail, plan and --dry-run show all of the plan, then why it would not be carried out."""
    file = shell.bundle()
    shell.b.add("region", "us")

    for command in (("plan", file, "-o", "plan.json"), ("import", file, "--dry-run")):
        ended = shell(*command, "--to", "b", "--on-conflict", "fail")
        assert ended.code == 1
        assert "~ variable:region  (exists-differs)\n    /value\n      - us\n      + eu\n" in ended.out
        assert "xfer: error: the destination has these with other content: variable:region" in ended.err
    assert not (shell.directory / "plan.json").exists()
    secrets = shell("plan", GOLDEN, "--to", "b", "--missing-secrets", "fail", "--json")
    assert (secrets.code, secrets.document["error"]["code"]) == (6, "SecretMissing")
    assert secrets.document["summary"]["accounted_for"] == secrets.document["summary"]["total"] > 0


def test_plan_through_standard_output_and_input(shell: Any) -> None:
    """With - the plan is the only thing on stdout and an import reads it from stdin; no file of that name is made."""
    shell.bundle()
    planned = shell("plan", "env.pxb", "--to", "b", "-o", "-")
    assert (planned.code, planned.err.splitlines()[-1].startswith("Plan: 2 create")) == (0, True)
    assert planned.document["xfer_plan"] == "1.1"
    assert shell("plan", "env.pxb", "--to", "b", "-o", "-", "--json").code == 64
    assert shell("import", "-", "--to", "b", "--plan", "-", stdin=planned.raw).code == 64
    assert shell("import", "env.pxb", "--to", "b", "--plan", "-", stdin=planned.raw[:-9]).code == 1
    assert shell("import", "env.pxb", "--to", "b", "--plan", "-", stdin=planned.raw).code == 0
    assert len(shell.b.variables) == 2
    assert not (shell.directory / "-").exists()
