"""Options that several commands share."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import click

from bundle.cli.console import Console
from bundle.errors import UsageError

F = TypeVar("F", bound=Callable[..., Any])
Suspects = Literal["carry", "redact", "fail"]


def examples(*lines: str) -> str:
    """The end of a command's help: commands as they can be typed."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def gathered(
    form: Any, name: str, *options: Callable[[Any], Any], finish: Callable[[Any], Any] = lambda asked: asked
) -> Callable[[F], F]:
    """Give a command many options as one value ``name``: ``finish`` of a ``form``, a struct with a field for each."""

    def decorated(function: F) -> F:
        @functools.wraps(function)
        def command(*arguments: Any, **given: Any) -> Any:
            asked = form(**{each: given.pop(each) for each in form.__struct_fields__})
            return function(*arguments, **{name: finish(asked)}, **given)

        for option in reversed(options):
            command = option(command)
        return cast("F", command)

    return decorated


def _set_verbose(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    console = ctx.find_object(Console)
    if value and console is not None:
        console.is_verbose = True
        console.log_everything()


def _set_quiet(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    console = ctx.find_object(Console)
    if value and console is not None:
        console.is_quiet = True


def output(function: F) -> F:
    """``-v`` and ``--quiet``, before the command or after it."""
    function = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_set_verbose,
        help="Show complete lists, and log every request.",
    )(function)
    return click.option("--quiet", is_flag=True, expose_value=False, callback=_set_quiet, help="Do not show progress.")(
        function
    )


def json_output(function: F) -> F:
    """``--json``; ``Console`` finds it in the arguments."""
    return click.option("--json", is_flag=True, expose_value=False, help="Print one JSON document.")(function)


def result(function: F) -> F:
    """The options of a command that ends in a report."""
    return json_output(output(function))


bundle = click.argument("bundle", metavar="FILE", required=True)
source = click.option("--from", "source", metavar="SOURCE", required=True, help="Profile, URL, or env.")
destination = click.option("--to", "destination", metavar="DESTINATION", required=True, help="Profile, URL, or env.")
force = click.option("--force", is_flag=True, help="Replace the file if it exists.")
all_owners = click.option(
    "--all-owners",
    is_flag=True,
    help="Ask every deployment of SOURCE which automations it owns, a request each.",
)


def suspects(function: F) -> F:
    """``--suspects``, of which ``--redact`` is the short form; the command gets ``suspects``."""

    @click.option(
        "--suspects",
        type=click.Choice(["carry", "redact", "fail"]),
        help="What to do with values that look like secrets although nothing declares them as such: carry and report "
        "them (the default), take them out as secrets to supply, or write nothing.",
    )
    @click.option("--redact", is_flag=True, help="Short for --suspects redact.")
    @functools.wraps(function)
    def command(*arguments: Any, suspects: Suspects | None, redact: bool, **settings: Any) -> Any:
        if redact and suspects not in {None, "redact"}:
            raise UsageError(
                f"--redact and --suspects {suspects} contradict each other", hint="use one of them; see --help"
            )
        return function(*arguments, suspects="redact" if redact else suspects or "carry", **settings)

    return cast("F", command)
