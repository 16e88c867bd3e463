"""bundle.trust.reasons: a closed table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bundle.trust import reasons
from bundle.trust.reasons import HINTS, TEXTS, Distrusted, Reason


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_plain_english(reason: Reason) -> None:
    """A text and a hint, in lower case and without a final period; the code is in kebab case."""
    assert re.fullmatch(r"[a-z]+(-[a-z]+)+", reason.value)
    for text in (TEXTS[reason], HINTS[reason]):
        assert text[0].islower()
        assert not text.endswith(".")


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_is_used(reason: Reason) -> None:
    """No code that nothing says."""
    package = Path(reasons.__file__).parent
    source = "".join(path.read_text() for path in package.glob("*.py") if path.name != "reasons.py")

    assert f"Reason.{reason.name}" in source


def test_a_refusal_says_what_why_and_what_to_do() -> None:
    """The file, the text of the reason, details and the hint; exit code 4."""
    error = Distrusted("env.pxb", Reason.SIGNER_UNKNOWN, "SHA256:x")

    assert error.message == "env.pxb: the key is not in the file of allowed signers: SHA256:x"
    assert error.hint == HINTS[Reason.SIGNER_UNKNOWN]
    assert error.exit_code == 4
