"""--help: every command shows how it is used, by commands that work as they stand."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest

from bundle import cli
from bundle.cli import COMMANDS


def commands(group: click.Group, context: click.Context, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """The words that name each command, of the inner ones too."""
    yield path
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        if isinstance(found, click.Group):
            yield from commands(found, click.Context(found, parent=context), (*path, name))
        else:
            yield (*path, name)


EVERY = pytest.mark.parametrize("path", list(commands(cli.xfer, click.Context(cli.xfer))), ids=" ".join)


def examples(text: str) -> list[str]:
    """The lines under the last heading of a help text."""
    return [line.strip() for line in text.rpartition("Examples:\n")[2].splitlines() if line.strip()]


def parse(words: list[str]) -> None:
    """Take a command line as click takes it, without running it; raises what click raises."""
    context: click.Context = cli.xfer.make_context("xfer", words)
    command: click.Command = cli.xfer
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, [*context._protected_args, *context.args])
        assert found is not None
        context = found.make_context(name, words, parent=context)
        command = found


def test_every_command_is_asked() -> None:
    """The commands that are looked at below are all that there are."""
    found = {path[0] for path in commands(cli.xfer, click.Context(cli.xfer)) if path}
    assert found == COMMANDS.keys()


@EVERY
def test_examples_are_real(shell: Any, path: tuple[str, ...]) -> None:
    """Each help ends with two to four examples, at least one of them of the command, and all can be typed."""
    ended = shell(*path, "--help")
    lines = examples(ended.out)
    assert 2 <= len(lines) <= 4
    assert any(line.startswith(" ".join(("xfer", *path))) for line in lines)
    for line in lines:
        for part in line.split(" | "):
            assert len(line) <= 78
            parse(shlex.split(re.sub(r"^(ssh \S+ )?xfer ", "", part)))


def test_every_listed_command_has_help(shell: Any) -> None:
    """Every command that the help lists can be asked for help."""
    for name in COMMANDS:
        ended = shell(name, "--help")
        assert (ended.code, ended.out.startswith(f"Usage: xfer {name}")) == (0, True), ended.err
