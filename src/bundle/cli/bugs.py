"""Keeps what a report of a bug needs: places and types, and nothing that was a value.

No message, no argument and no local variable of an exception is kept, since each may hold a
secret. The file is of its own, mode 0600, in the directory for temporary files.
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections.abc import Iterator

from bundle._version import __version__

_CHAIN_LENGTH = 20


def keep(error: BaseException) -> str:
    """Write the traceback to a new file and give its name.

    Raises:
        OSError: the file cannot be written.
    """
    handle, name = tempfile.mkstemp(prefix="xfer-bug-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        version = ".".join(map(str, sys.version_info[:3]))
        file.write(f"xfer {__version__}, Python {version}, {sys.platform}\n")
        file.writelines(f"{line}\n" for line in _traceback(error))
    return name


def _traceback(error: BaseException, depth: int = 0) -> Iterator[str]:
    if depth > _CHAIN_LENGTH:
        return
    earlier = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if earlier is not None:
        yield from _traceback(earlier, depth + 1)
        yield "which led to:"
    yield f"{type(error).__module__}.{type(error).__qualname__}"
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"  {frame.filename}:{frame.lineno} in {frame.name}"
    for member in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        yield "with the member:"
        yield from _traceback(member, depth + 1)
