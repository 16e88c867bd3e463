"""xfer inspect and xfer verify, of a file."""

from __future__ import annotations

from typing import Any

from support.commands import GOLDEN


def test_inspect_shows_what_is_inside(shell: Any) -> None:
    """Inspect has provenance, counts, order, secret slots, findings and what was left out."""
    shown = shell("inspect", GOLDEN)
    for part in ("content digest:", "source:", "order of import:", "secrets to supply at import", "left out at export"):
        assert part in shown.out
    assert shown.last_line == "7 exported, 1 left out (8 of 8 accounted for)"
    assert shell("verify", GOLDEN).last_line == "intact: 7 exported, 1 left out (8 of 8 accounted for)"


def test_inspect_lists_the_keys_on_request(shell: Any) -> None:
    """-v names every resource, in the text and in the document; without it there are the sums alone."""
    shell.bundle()
    assert "resources (2):\n  variable:region\n  variable:retries\n" in shell("inspect", "env.pxb", "-v").out
    assert "variable:region" not in shell("inspect", "env.pxb").out
    listed = shell("inspect", "env.pxb", "-v", "--json").document["resources"]
    assert {(each["key"], each["action"], each["reason"]) for each in listed} == {
        ("variable:region", "keep", "exported"),
        ("variable:retries", "keep", "exported"),
    }


def test_missing_bundle_is_refused(shell: Any) -> None:
    """A bundle that is not there is exit code 4, with a hint."""
    ended = shell("verify", "none.pxb")
    assert (ended.code, ended.err) == (
        4, "xfer: error: none.pxb: cannot be read: no such file or directory\nhint: check the file name\n",
    )  # fmt: skip
