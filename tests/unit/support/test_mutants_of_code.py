"""Which mutants are made of a module."""

from __future__ import annotations

import pytest

from mutation.mutants import mutants
from mutation.scores import PAGE, recorded, table


def changed(source: str) -> set[str]:
    """The mutants of some lines, as source."""
    return {each.source.decode() for each in mutants("m.py", source.encode())}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if a:\n    pass", {"if (True):\n    pass", "if (False):\n    pass"}),
        ("x = a and b", {"x = (a)", "x = (b)"}),
        ("x = a or b or c", {"x = (b or c)", "x = (a or c)", "x = (a or b)"}),
        ("x = a < b", {"x = (a <= b)"}),
        ("x = a is None", {"x = (a is not None)"}),
        ("x = a not in b", {"x = (a in b)"}),
        ("x = not a", {"x = (a)"}),
        ("x = a - b", {"x = (a)", "x = (b)"}),
        ("x = True", {"x = (False)"}),
        ("x = 3", {"x = (4)"}),
        ("x = (a, b)", {"x = ((b,))", "x = ((a,))"}),
        ("x = {a: b, c: d}", {"x = ({c: d})", "x = ({a: b})"}),
        ("f(a, b=c)", {"pass", "(f(a))"}),
        ("raise E", {"pass"}),
        ("x = [a for a in b if c]", {"x = [a for a in b if (True)]", "x = [a for a in b if (False)]"}),
        ("'A docstring.'", set()),
        ("x = 'a text'", set()),
        ("x = f'{a + 1}'", set()),
        ("def f(a: int = 1) -> None: ...", set()),
        ("import a", set()),
        ("if TYPE_CHECKING:\n    x = 1", set()),
    ],
)
def test_every_guard_has_its_mutants(source: str, expected: set[str]) -> None:
    """Conditions, operands, comparisons, numbers, members and calls change; texts, types and imports do not."""
    assert changed(source) == expected


def test_a_mutant_names_the_lines_that_run_it() -> None:
    """A statement with others inside is run by its own lines, not by theirs."""
    source = b"def f(a):\n    if (a and\n            b):\n        g()\n"
    lines = {each.after: each.lines for each in mutants("m.py", source)}

    assert lines == {"True": (2, 3), "False": (2, 3), "a": (2, 3), "b": (2, 3), "pass": (4, 4)}


def test_columns_are_counted_in_bytes() -> None:
    """What stands after other than ASCII characters is changed where it stands."""
    assert changed("x = 'ä', a < b") >= {"x = 'ä', (a <= b)"}


def test_the_page_shows_what_was_found() -> None:
    """docs/mutation.md has the scores of the last runs."""
    assert PAGE.read_text().endswith(table(recorded()))
