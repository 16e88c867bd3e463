"""The debug log of this package on stderr; what other packages log is never shown."""

from __future__ import annotations

import logging
from collections.abc import Callable

import click

from bundle.report import escaping


def show() -> Callable[[], None]:
    """Print every record of the loggers below ``bundle``, until the function that this returns is called."""
    log = logging.getLogger("bundle")
    level, handler = log.level, _Stderr()

    def hide() -> None:
        log.removeHandler(handler)
        log.setLevel(level)

    log.setLevel(logging.DEBUG)
    log.addHandler(handler)
    return hide


class _Stderr(logging.Handler):
    """Records as lines on stderr, safe to print."""

    def emit(self, record: logging.LogRecord) -> None:
        click.echo(escaping.escape(f"{record.levelname.lower()} {record.name}: {record.getMessage()}"), err=True)
