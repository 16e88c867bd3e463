"""xfer moves and archives whole Prefect 3 environments."""

from __future__ import annotations

__version__ = "0.1.0"
