"""Reports of commands that an error or an interruption ended."""

from __future__ import annotations

import msgspec

from bundle.errors import BundleError, ExitCode
from bundle.report.model import Problem, Report
from bundle.report.parts import Lines


def failed(command: str, code: int, problem: Problem) -> Report:
    """The report of a command that an error ended before there was anything to report."""
    return Report(command=command, exit_code=code, ok=False, error=problem)


def problem_of(error: BundleError) -> Problem:
    """An expected error in the words of the report."""
    return Problem(type(error).__name__, error.message, error.hint, error.reason)


def interrupted(report: Report) -> Report:
    """The report of what was done before the user stopped the run."""
    problem = Problem("Interrupted", "stopped before the end", "run the same command again to continue")
    return msgspec.structs.replace(report, exit_code=ExitCode.INTERRUPTED, ok=False, error=problem)


def ended_by(report: Report, error: BundleError) -> Report:
    """The report of what was done before an error ended the run, or of a plan that would not be carried out."""
    return msgspec.structs.replace(report, exit_code=error.exit_code, ok=False, error=problem_of(error))


_WAYS_OUT = {
    ExitCode.INCOMPLETE: "mend what is listed and run the same command again, or leave it out with --exclude",
    ExitCode.SERVER: "run the same command again once the server answers",
    ExitCode.INTERRUPTED: "run the same command again to continue",
}


def ending_lines(report: Report) -> Lines:
    """Why a run did not end with exit code 0, and the way out."""
    undone = [name for name in ("failed", "blocked", "begun", "not_tried") if report.summary.get(name)]
    if report.exit_code in _WAYS_OUT:
        counts = ", ".join(f"{report.summary[name]} {name.replace('_', ' ')}" for name in undone)
        why = counts or ", ".join(report.changed_while_read and ("changed while it was read",))
        yield f"exit code {int(report.exit_code)}{f' ({why})' if why else ''}: {_WAYS_OUT[ExitCode(report.exit_code)]}"
