"""A disk that is full in the middle of an import."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bundle.operations.journal import Journal


def test_an_import_whose_receipt_cannot_grow_ends_with_its_account(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is begun, every resource is accounted for, and the error says what was in the way."""
    for number in range(40):
        shell.a.add(f"v{number}", number)
    shell.bundle()
    begin = Journal.begin

    def on_a_full_disk(*arguments: Any, **named: Any) -> Journal:
        journal = begin(*arguments, **named)
        journal._file.close()
        journal._file = Path("/dev/full").open("wb")  # noqa: SIM115 - the journal closes it
        return journal

    monkeypatch.setattr(Journal, "begin", on_a_full_disk)
    ended = shell("import", "env.pxb", "--to", "b", "--json")

    assert ended.code == 1, ended.err
    report = ended.document
    assert report["error"]["code"] == "OutputError"
    assert "no space left" in report["error"]["message"]
    assert report["summary"]["accounted_for"] == report["summary"]["total"] == 42
    assert report["summary"]["succeeded"] == len(shell.b.variables) < 42
