"""What a command prints: results to stdout, all else to stderr, everything escaped."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from bundle.report import escaping

if TYPE_CHECKING:
    from bundle.report.model import Report


class Console:
    """How much is printed and in which form; one for each run.

    ``--json`` is looked for in the arguments themselves, since an error in them must be reported as
    JSON too.
    """

    def __init__(self, arguments: Sequence[str]) -> None:
        given = list(arguments)
        self.is_json = "--json" in (given[: given.index("--")] if "--" in given else given)
        self.is_quiet = False
        self.is_verbose = False
        self.warnings: list[str] = []
        self._hide_log: Callable[[], None] | None = None
        self.command = "xfer"
        self.result_to_stderr = False
        for stream in (sys.stdout, sys.stderr):
            # A name that the terminal's encoding does not have must not end the run.
            with contextlib.suppress(AttributeError, ValueError):
                stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
        if os.environ.get("PREFECT_LOGGING_LEVEL", "").upper() == "DEBUG":
            self.log_everything()

    @property
    def is_live(self) -> bool:
        """Whether progress may be drawn: on a terminal, and with no log lines between."""
        return sys.stderr.isatty() and self._hide_log is None

    def say(self, text: str) -> None:
        """One line about what is happening."""
        if not self.is_quiet:
            click.echo(escaping.escape(text), err=True)

    def warn(self, text: str, *, reported: bool = False) -> None:
        """One line that somebody should read; ``reported``: it is among the warnings of the JSON document, too."""
        if reported:
            self.warnings.append(text)
        click.echo(f"xfer: warning: {escaping.escape(text)}", err=True)

    def error(self, message: str, hint: str) -> None:
        """Why the command failed, and what to do."""
        label = click.style("error:", fg="red", bold=True) if _has_colors() else "error:"
        click.echo(f"xfer: {label} {escaping.escape_lines(message)}", err=True)
        click.echo(f"hint: {escaping.escape_lines(hint)}", err=True)

    def result(self, text: str) -> None:
        """The text that was asked for, which is safe to print already: a rendered report."""
        # Not at the top: --help prints nothing through here.
        from bundle.files import output_errors  # noqa: PLC0415

        with output_errors("standard output"):
            click.echo(text, err=self.result_to_stderr)

    def finish(self, report: Report) -> None:
        """Print the report of a command in the form asked for."""
        if self.is_json:
            from bundle.report import json  # noqa: PLC0415 - msgspec is not needed for --help

            self.result(json.render(report, self.warnings))
            return
        from bundle.report import text  # noqa: PLC0415 - as above

        self.result(text.render(report, in_full=self.is_verbose))
        if report.error is not None:
            self.error(report.error.message, report.error.hint)

    def log_everything(self) -> None:
        """Send the debug log of this package to stderr, until ``close``."""
        if self._hide_log is None:
            # Few runs need it, and it is the slowest import of all here.
            from bundle.cli import log  # noqa: PLC0415

            self._hide_log = log.show()

    def close(self) -> None:
        """Leave the process as it was, and Python nothing to complain about when it exits."""
        if self._hide_log is not None:
            self._hide_log()
            self._hide_log = None
        try:
            sys.stdout.flush()
        except OSError:
            # Said already where it can be said; what is still buffered would fail once more at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _has_colors() -> bool:
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR")
