"""Reports of commands that an error or an interruption ended."""

from __future__ import annotations

import msgspec

from bundle.errors import BundleError, ExitCode
from bundle.report.model import Problem, Report


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
