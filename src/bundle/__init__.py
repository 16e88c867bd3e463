"""xfer moves and archives whole Prefect 3 environments: the package map, and a small Python API.

    errors, model, files    the nouns, every error with its exit code, files that appear whole
    record/                 one resource in portable form: ids and secrets out, references beside it
    container/              the bundle file: written, read, verified
    server/                 one Prefect server over HTTP, and which one a name stands for
    kinds/                  one module for each kind of resource: where it lives, what travels
    environment/            everything of a server, read and turned into records; what of it is selected
    plan/                   what is to be done at a destination, field by field; nothing is written
    apply/                  doing it
    operations/             the use cases: export, import, rollback, cutover, drift, preflight, demo
    report/                 what was done, as values, text and JSON
    cli/                    the command line

A package imports only those before it.

``export_environment``, ``read_bundle``, ``write_file``, ``verify_bundle``, ``prepare`` and
``carry_out`` can be taken from here (docs/api.md); they are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from bundle._version import __version__ as __version__

if TYPE_CHECKING:
    from bundle.container.reader import read_bundle as read_bundle
    from bundle.container.reader import verify_bundle as verify_bundle
    from bundle.container.writer import write_file as write_file
    from bundle.operations.export import export_environment as export_environment
    from bundle.operations.import_ import carry_out as carry_out
    from bundle.operations.import_ import prepare as prepare

_HOMES = {
    "export_environment": "bundle.operations.export",
    "read_bundle": "bundle.container.reader",
    "write_file": "bundle.container.writer",
    "verify_bundle": "bundle.container.reader",
    "prepare": "bundle.operations.import_",
    "carry_out": "bundle.operations.import_",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
