"""Measurements of xfer against what the same requests, files and processes cost without it."""

import sys
from pathlib import Path

# Servers and environments are those of the tests, which are no package.
sys.path.append(str(Path(__file__).parents[1] / "tests"))
