"""The debug log of this package on stderr; what other packages log is never shown."""

from __future__ import annotations

import logging

import click

from bundle.report import screen


def show() -> None:
    """Print every record of the loggers below ``bundle``."""
    log = logging.getLogger("bundle")
    log.setLevel(logging.DEBUG)
    if not any(isinstance(each, _Stderr) for each in log.handlers):
        log.addHandler(_Stderr())


class _Stderr(logging.Handler):
    """Records as lines on stderr, safe to print."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(screen.escape(f"{record.levelname.lower()} {record.name}: {record.getMessage()}"), err=True)
