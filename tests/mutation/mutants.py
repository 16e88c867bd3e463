"""Mutants of a module: small changes to its guards, each made from the syntax tree, in a fixed order.

A guard goes (a condition is always or never true, an operand is dropped, a ``raise`` or a call does nothing), is
turned round (a comparison, ``not``, ``True``), or moves by one (a bound, a number, an element of a table). Texts are
left as they are: a reworded message is no lost guard.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from typing import NamedTuple

_OPPOSITES: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_PASSED_OVER = (ast.JoinedStr, ast.arguments, ast.Import, ast.ImportFrom)


class Mutant(NamedTuple):
    """One change: the module with it, and what it changes.

    ``lines`` are the first and the last line of the smallest statement around it; ``name`` stays the same while the
    code of that place does.
    """

    path: str
    lines: tuple[int, int]
    before: str
    after: str
    source: bytes

    @property
    def name(self) -> str:
        return f"{self.path}: {self.before} -> {self.after}"


def mutants(path: str, source: bytes) -> Iterator[Mutant]:
    """All mutants of a module that compile."""
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for statement, node, changed in _changes(ast.parse(source), None):
        start, end = (starts[line - 1] + column for line, column in _ends(node))
        code = f"({changed})" if isinstance(node, ast.expr) else changed
        mutated = source[:start] + code.encode() + source[end:]
        try:
            compile(mutated, path, "exec")
        except SyntaxError:
            continue
        lines = statement.lineno, _last_line(statement)
        yield Mutant(path, lines, ast.unparse(node), changed, mutated)


def _ends(node: ast.stmt | ast.expr) -> Iterator[tuple[int, int]]:
    yield node.lineno, node.col_offset
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    yield node.end_lineno, node.end_col_offset


def _last_line(statement: ast.stmt) -> int:
    """The last line of a statement, without those inside it."""
    body: list[ast.stmt] = getattr(statement, "body", None) or []
    return max(statement.lineno, body[0].lineno - 1) if body else statement.end_lineno or statement.lineno


def _changes(node: ast.AST, statement: ast.stmt | None) -> Iterator[tuple[ast.stmt, ast.stmt | ast.expr, str]]:
    if isinstance(node, _PASSED_OVER) or _is_for_types(node):
        return
    if isinstance(node, ast.stmt):
        statement = node
        if _does_something(node):
            yield statement, node, "pass"
    if isinstance(node, ast.expr) and statement:
        for changed in _changed(node):
            yield statement, node, changed
    for test in _tests(node):
        assert statement is not None
        yield from ((statement, test, each) for each in ("True", "False") if ast.unparse(test) != each)
    for field, child in _children(node):
        if field not in {"annotation", "returns", "type_params", "decorator_list"}:
            yield from _changes(child, statement)


def _children(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    for field, value in ast.iter_fields(node):
        yield from (
            (field, each) for each in (value if isinstance(value, list) else [value]) if isinstance(each, ast.AST)
        )


def _is_for_types(node: ast.AST) -> bool:
    """Whether only a type checker reads it."""
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _does_something(node: ast.stmt) -> bool:
    """Whether a statement can be left out and the module still be one; docstrings do nothing."""
    if isinstance(node, ast.Expr):
        return not isinstance(node.value, ast.Constant | ast.Yield | ast.YieldFrom)
    return isinstance(node, ast.Raise | ast.Continue | ast.AugAssign | ast.Delete)


def _tests(node: ast.AST) -> list[ast.expr]:
    if isinstance(node, ast.If | ast.IfExp):
        return [node.test]
    return node.ifs if isinstance(node, ast.comprehension) else []


def _changed(node: ast.expr) -> Iterator[str]:
    yield from _turned_round(node)
    yield from _made_smaller(node)


def _made_smaller(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.BoolOp(values=values):
            yield from _without_each(node, "values", values)
        case ast.BinOp(op=ast.BitOr() | ast.BitAnd() | ast.Sub(), left=left, right=right):
            yield from (ast.unparse(left), ast.unparse(right))
        case ast.Call(keywords=keywords) if keywords:
            yield from _without_each(node, "keywords", keywords)
        case ast.Tuple(elts=elements) | ast.Set(elts=elements) | ast.List(elts=elements) if isinstance(
            getattr(node, "ctx", ast.Load()), ast.Load
        ):
            yield from _without_each(node, "elts", elements)
        case ast.Dict(keys=keys, values=values):
            for place in range(len(keys)):
                rest = [each for number, each in enumerate(zip(keys, values, strict=True)) if number != place]
                yield ast.unparse(ast.Dict([key for key, _ in rest], [value for _, value in rest]))


def _turned_round(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Compare(ops=[operator], left=left, comparators=right):
            yield ast.unparse(ast.Compare(left, [_OPPOSITES[type(operator)]()], right))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield ast.unparse(operand)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            yield ast.unparse(ast.BinOp(left, ast.Sub(), right))
        case ast.Constant(value=bool(value)):
            yield repr(not value)
        case ast.Constant(value=int(value)):
            yield repr(value + 1)


def _without_each(node: ast.expr, field: str, members: list[ast.expr] | list[ast.keyword]) -> Iterator[str]:
    for place in range(len(members)):
        smaller = copy.copy(node)
        rest = members[:place] + members[place + 1 :]
        setattr(smaller, field, rest)
        is_alone = isinstance(node, ast.BoolOp) and len(rest) == 1
        yield ast.unparse(rest[0] if is_alone else smaller)
