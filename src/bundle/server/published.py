"""What the newest Prefect takes, for where nobody can be asked: Prefect Cloud publishes no OpenAPI document.

The file is that of a server of this version, cut to the routes that create something and to what is judged by
(``tests/support/published.py`` writes it, a test compares it with a server of the version).
"""

from __future__ import annotations

from importlib import resources

import msgspec

from bundle.server.openapi import Accepted, parse_openapi

VERSION = "3.9.1"
FILE = "published.json"


def newest() -> Accepted:
    """What a server of ``VERSION`` takes where something is created."""
    return parse_openapi(msgspec.json.decode(resources.files("bundle.server").joinpath(FILE).read_bytes()))
