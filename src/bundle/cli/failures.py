"""Errors become exit codes here, and nowhere else."""

from __future__ import annotations

import contextlib
import re

import click

from bundle.cli.console import Console
from bundle.errors import BundleError, ExitCode

_USER_INFORMATION = re.compile(r"//[^/\s'\"]*@")


def handle(error: BaseException, console: Console) -> int:
    """Tell the user what went wrong, once, and give the exit code."""
    expected = _expected(error)
    if _is_broken_pipe(error) or _is_broken_pipe(expected):
        # Whoever read our output has gone.
        return int(ExitCode.FAILED)
    if expected is not None:
        name = type(expected).__name__
        return _tell(console, expected.exit_code, name, expected.message, expected.hint, expected.reason)
    if isinstance(error, click.ClickException):
        return _misused(error, console)
    if isinstance(error, KeyboardInterrupt | click.Abort):
        hint = "run the same command again; an import continues where it stopped"
        return _tell(console, ExitCode.INTERRUPTED, "Interrupted", "interrupted", hint)
    return _bug(error, console)


def _expected(error: BaseException) -> BundleError | None:
    """The error itself, or the first one in a ``TaskGroup``'s group that holds nothing else."""
    if isinstance(error, BundleError):
        return error
    if isinstance(error, BaseExceptionGroup) and all(_expected(each) for each in error.exceptions):
        return _expected(error.exceptions[0])
    return None


def _is_broken_pipe(error: BaseException | None) -> bool:
    return isinstance(error, BrokenPipeError) or (error is not None and isinstance(error.__cause__, BrokenPipeError))


def _tell(console: Console, code: int, name: str, message: str, hint: str, reason: str | None = None) -> int:
    console.error(message, hint)
    if console.is_json:
        # Not at the top: neither --help nor --version needs msgspec.
        from bundle.report import endings, json  # noqa: PLC0415
        from bundle.report.model import Problem  # noqa: PLC0415

        # Where even this cannot be written, the exit code is all that is left to say.
        with contextlib.suppress(OSError):
            report = endings.failed(console.command, code, Problem(name, message, hint, reason))
            click.echo(json.render(report, console.warnings))
    return int(code)


def _misused(error: click.ClickException, console: Console) -> int:
    """What click says, in the form of ours, without what is before the @ in a URL."""
    message = _USER_INFORMATION.sub("//***@", error.format_message())
    context = error.ctx if isinstance(error, click.UsageError) else None
    if context is not None and not message.strip():
        message = "missing command"
    path = context.command_path if context is not None else "xfer"
    hint = f"see `{path} --help`"
    return _tell(console, ExitCode.USAGE, "UsageError", message[:1].lower() + message[1:].removesuffix("."), hint)


def _bug(error: BaseException, console: Console) -> int:
    # Few runs need it.
    from bundle.cli import bugs  # noqa: PLC0415

    try:
        place = f"the traceback is in {bugs.keep(error)} (no values, no secrets)"
    except OSError:
        place = "no traceback was saved: the directory for temporary files is not writable"
    message = f"xfer has a bug: an unexpected {type(error).__name__}"
    return _tell(console, ExitCode.BUG, "Bug", message, f"please report it; {place}")
