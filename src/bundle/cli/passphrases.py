"""Asking for the passphrase of a private key: on the terminal, and nowhere else."""

from __future__ import annotations

import contextlib
import getpass
import warnings

from bundle.errors import UsageError


def ask(name: str) -> str:
    """The passphrase of the key in the file ``name``, as somebody types it without seeing it.

    Raises:
        UsageError: there is no terminal to ask on.
    """
    with contextlib.suppress(EOFError, OSError, getpass.GetPassWarning), warnings.catch_warnings():
        # Where it could only ask without hiding what is typed, it does not ask.
        warnings.simplefilter("error", getpass.GetPassWarning)
        return getpass.getpass(f"passphrase of {name}: ")
    raise UsageError(
        f"{name}: this key has a passphrase, and there is no terminal to ask for it",
        hint="run the command on a terminal, or use a key without a passphrase",
    )
