"""A click group that imports the module of a command when the command is used, and commands named with their group."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click

from bundle.cli.console import Console


class NamedCommand(click.Command):
    """A command that reports call as it is typed: ``archive list``."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run it."""
        console = ctx.find_object(Console)
        if console is not None:
            console.command = ctx.command_path.partition(" ")[2]
        return super().invoke(ctx)


class LazyGroup(click.Group):
    """A group with the module and the short help of each command; a module's command is ``command``."""

    def __init__(self, *args: Any, lazy: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """The commands in the order they are declared in."""
        return list(self._lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, its module imported now."""
        if cmd_name not in self._lazy:
            return None
        console = ctx.find_object(Console)
        if console is not None:
            console.command = cmd_name
        command = importlib.import_module(self._lazy[cmd_name][0]).command
        return command if isinstance(command, click.Command) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's
        """List the commands by their short help, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, help_) for name, (_, help_) in self._lazy.items()])
