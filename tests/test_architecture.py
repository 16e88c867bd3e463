"""Who may import whom: one way, by level, and each foreign library in one place only."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"

# The packages from the nouns up: a module imports what stands before its own package, or beside it without a circle.
ORDER = (
    "bundle",
    "_version",
    "errors",
    "model",
    "files",
    "record",
    "container",
    "trust",
    "server",
    "kinds",
    "environment",
    "plan",
    "apply",
    "operations",
    "archive",
    "report",
    "cli",
    "__main__",
)

# Each foreign library and the only packages or modules that know it.
OWNERS = {
    "httpx": {"server.connection"},
    "zstandard": {"container.archive"},
    "tarfile": {"container.archive"},
    "click": {"cli"},
    "rich": {"cli"},
    "croniter": {"operations.next_runs"},
    "dateutil": {"operations.next_runs"},
    "dotenv": {"server.profile_files"},
    "subprocess": {"server.process", "server.processes", "trust.ssh_keygen"},
    "cryptography": {"trust.algorithms", "trust.private_keys"},
    "pyrage": {"trust.sealing"},
    "asyncssh": set(),
    "tomllib": {"server.profile_files", "cli"},
    "prefect": set(),
    "jsonschema": {"plan.conformity"},
    "referencing": {"plan.conformity"},
    "obstore": {"archive.objects"},
    "pickle": set(),
    "marshal": set(),
}
# Pure packages and modules: values in, values out.
NO_SIDE_EFFECTS = {
    "record",
    "environment.describe",
    "environment.selection",
    "environment.validation",
    "plan",
    "report",
    "trust.wire",
    "trust.keys",
    "trust.sshsig",
    "trust.algorithms",
    "trust.patterns",
    "trust.policy",
    "trust.statements",
}
EFFECTS = {"os", "io", "socket", "asyncio", "time", "datetime", "random", "tempfile", "subprocess", "logging", "uuid"}


def module_of(path: Path) -> str:
    """``container.archive`` for src/bundle/container/archive.py."""
    parts = path.relative_to(SOURCE / "bundle").with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "bundle"


MODULES = {module_of(path): ast.parse(path.read_text()) for path in sorted((SOURCE / "bundle").rglob("*.py"))}
EVERY = pytest.mark.parametrize("module", MODULES)


def part(module: str) -> str:
    """The module or package directly below ``bundle``."""
    return module.partition(".")[0]


def imports(tree: ast.AST) -> Iterator[str]:
    """Every dotted name that is imported anywhere in a module, with the names taken from packages of ours."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(module: str) -> set[str]:
    """The modules of ours that a module imports."""
    names = {name.removeprefix("bundle.") for name in imports(MODULES[module]) if name.startswith("bundle.")}
    return {name for name in names if name in MODULES} - {module}


def foreign(module: str) -> set[str]:
    return {name.partition(".")[0] for name in imports(MODULES[module])} - {"bundle"}


@EVERY
def test_every_package_has_a_place(module: str) -> None:
    """A new package must be given its place before it can be used; nothing but nouns lies beside the packages."""
    assert part(module) in ORDER


@EVERY
def test_imports_go_one_way(module: str) -> None:
    """No module imports from a later package; the package itself is a door, which opens when it is used."""
    if module == "bundle":
        assert at_import(module) == {"_version"}
        return
    upward = {name for name in ours(module) if ORDER.index(part(name)) > ORDER.index(part(module))}
    assert upward == set()


@EVERY
def test_libraries_stay_in_their_place(module: str) -> None:
    """A foreign library is known to its owner alone, and some to nobody."""
    strays = {name for name in foreign(module) & OWNERS.keys() if not {module, part(module)} & OWNERS[name]}
    assert strays == set()


@EVERY
def test_pure_modules_have_no_effects(module: str) -> None:
    """Clock, files, network and randomness are not in reach of the modules that only compute."""
    if {module, part(module)} & NO_SIDE_EFFECTS:
        assert foreign(module) & EFFECTS == set()


@EVERY
def test_nothing_prints_by_itself(module: str) -> None:
    """Nothing prints past the console of the command line, and nothing runs text as code."""
    calls = set(called(MODULES[module]))
    assert "print" not in calls
    assert not {"eval", "exec", "__import__", "breakpoint"} & calls


def called(tree: ast.AST) -> Iterator[str]:
    """The plain names that are called as functions."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id


@EVERY
def test_only_the_command_line_builds_a_client(module: str) -> None:
    """A use case is handed its server; only the command line makes one."""
    names = {node.id for node in ast.walk(MODULES[module]) if isinstance(node, ast.Name)}
    assert "PrefectApi" not in names or part(module) == "cli" or module == "server.client"


@EVERY
def test_every_module_says_its_job(module: str) -> None:
    """Each module begins with a docstring."""
    assert ast.get_docstring(MODULES[module])


def test_no_circles() -> None:
    """No module imports itself by way of others, not even inside one level."""
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, f"a circle: {' -> '.join([*trail, module])}"
        if module not in done:
            for name in sorted(at_import(module)):
                visit(name, (*trail, module))
            done.add(module)

    for module in MODULES:
        visit(module, ())


def at_import(module: str) -> set[str]:
    """What a module imports when it is itself imported, the packages around that included."""
    top = [node for node in MODULES[module].body if isinstance(node, ast.Import | ast.ImportFrom)]
    found = set()
    for node in top:
        for name in imports(ast.Module(body=[node], type_ignores=[])):
            short = name.removeprefix("bundle.")
            if name.startswith("bundle.") and short in MODULES:
                found.add(short)
    return {name for name in found if name != module and not module.startswith(f"{name}.")}


LONGEST_MODULE = 300


@EVERY
def test_modules_are_small(module: str) -> None:
    """No module has more than 300 lines."""
    path = SOURCE / "bundle" / f"{module.replace('.', '/')}.py"
    if path.exists():
        assert len(path.read_text().splitlines()) <= LONGEST_MODULE


@EVERY
def test_nesting_is_shallow(module: str) -> None:
    """Nothing is nested deeper than four blocks inside a function."""

    def depth(node: ast.AST, level: int) -> int:
        deeper = level + isinstance(
            node, ast.If | ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith | ast.Try
        )
        return max([deeper, *(depth(child, deeper) for child in ast.iter_child_nodes(node))])

    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert max(depth(child, 0) for child in node.body) <= 4, node.name


def test_the_picture_shows_the_imports() -> None:
    """docs/architecture.svg is what ``python docs/draw_architecture.py`` draws of the code as it is."""
    specification = importlib.util.spec_from_file_location(
        "draw_architecture", SOURCE.parent / "docs" / "draw_architecture.py"
    )
    assert specification is not None
    assert specification.loader is not None
    drawing = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(drawing)
    assert drawing.PICTURE.read_text() == drawing.draw()
    assert 'class="up"' not in drawing.draw()


def test_functions_are_small() -> None:
    """No function has more than 60 lines, and half of them have fewer than 10."""
    functions = [
        (module, node.name, (node.end_lineno or 0) - node.lineno + 1)
        for module, tree in MODULES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [each for each in functions if each[2] > 60] == []
    lengths = sorted(length for _, _, length in functions)
    assert lengths[len(lengths) // 2] < 10
