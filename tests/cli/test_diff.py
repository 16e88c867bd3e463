"""xfer diff."""

from __future__ import annotations

from typing import Any


def test_diff_reads_like_a_change_log(shell: Any) -> None:
    """A title with both sides, then what was added, removed and changed, and the sum."""
    shell.bundle()
    shell.b.add("region", "us")
    shell.b.add("zone", "z")
    ended = shell("diff", "env.pxb", "b", "--quiet")
    assert ended.code == 2
    assert ended.out == (
        "Changes from env.pxb to b (http://b.test/api)\n\n+ added   - removed   ~ changed\n\n"
        "~ variable:region\n    /value\n      - eu\n      + us\n- variable:retries\n+ variable:zone\n\n"
        "1 added, 1 removed, 1 changed, 0 unchanged (3 of 3 accounted for)\n"
    )


def test_what_a_server_did_not_let_be_read_is_no_silent_difference(shell: Any) -> None:
    """A row that cannot be read is named, and exit code 3 says that not all was compared."""
    shell.bundle()
    shell.b.add("region", "eu")
    shell.b.variables.append({"id": "00000000-0000-4000-8000-000000000001", "name": ["no name"]})

    ended = shell("diff", "env.pxb", "b", "--quiet")

    assert ended.code == 3
    assert "left out at export, not-portable (1)" in ended.out
    assert "1 variable: 00000000-0000-4000-8000-000000000001" in ended.out
