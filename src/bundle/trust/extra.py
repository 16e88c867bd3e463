"""The libraries of ``xfer[airgap]``: wanted only when a file is signed, checked or sealed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from bundle.errors import UsageError


@contextlib.contextmanager
def airgap() -> Iterator[None]:
    """Around an import: a missing library is a ``UsageError`` that names the extra."""
    try:
        yield
    except ImportError as error:
        raise UsageError(
            f"signatures and sealed files need the Python package {error.name or 'cryptography'}",
            hint='install the extra: pip install "xfer[airgap]"',
        ) from error
