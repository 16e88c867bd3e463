"""bundle.errors: every failure that a user can meet says what to do next."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle import errors
from bundle.errors import BundleError

SOURCE = Path(__file__).parents[2] / "src" / "bundle"
KINDS = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, BundleError)}


def made(path: Path) -> Iterator[ast.Call]:
    """Every place of a module that makes an error for users."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and _name(node.func) in KINDS:
            yield node


def _name(function: ast.expr) -> str | None:
    return function.id if isinstance(function, ast.Name) else getattr(function, "attr", None)


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_error_has_a_hint(path: Path) -> None:
    """Wherever an error for users is made, it is given a hint that is not empty."""
    hints = [(call.lineno, [each.value for each in call.keywords if each.arg == "hint"]) for call in made(path)]
    missing = [
        line for line, given in hints if not given or (isinstance(given[0], ast.Constant) and not given[0].value)
    ]
    assert missing == [], f"{path}: no hint in the errors of these lines"


def test_errors_for_users_are_found() -> None:
    """The test above sees the errors of the source at all."""
    assert sum(len(list(made(path))) for path in SOURCE.rglob("*.py")) > 50


def test_a_hint_is_required() -> None:
    """An error cannot even be made without a hint."""
    with pytest.raises(TypeError, match="hint"):
        BundleError("no advice")  # type: ignore[call-arg]
