"""xfer moves and archives whole Prefect 3 environments: the package map, and a small Python API.

    errors, model           the nouns, and every error with its exit code
    canonical, references,  pure: canonical JSON, ids cut out of bodies and put back, secrets taken
    secrets, graph          out, the order in which everything can be made
    kinds/                  one module for each kind of resource: where it lives, what travels
    container/              the bundle file: written, read, verified
    client, profiles        one server over HTTP, and which one a name stands for
    snapshot, environment   everything of a server, read and turned into records
    selection, overlay      what of it, and what is to be different from the bundle
    plan, apply             what is to be done, and doing it; rollback takes it back by a receipt
    exporter, importer      the two use cases; audit, activation, checklist what comes after and before
    report/, cli/           the account as values, text and JSON; the command line
    servers, demo           throwaway Prefect servers, and what ``xfer demo`` fills them with

``export_environment``, ``read_bundle``, ``write_file``, ``verify_bundle``, ``prepare`` and
``carry_out`` can be taken from here (docs/api.md); they are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bundle.container import read_bundle as read_bundle
    from bundle.container import verify_bundle as verify_bundle
    from bundle.container import write_file as write_file
    from bundle.exporter import export_environment as export_environment
    from bundle.importer import carry_out as carry_out
    from bundle.importer import prepare as prepare

__version__ = "0.1.0"

_HOMES = {
    "export_environment": "bundle.exporter",
    "read_bundle": "bundle.container",
    "write_file": "bundle.container",
    "verify_bundle": "bundle.container",
    "prepare": "bundle.importer",
    "carry_out": "bundle.importer",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
