"""The secrets that a user supplies: a TOML or JSON file and ``XFER_SECRET_…`` variables.

Rules: an empty string in the file is a slot that was not filled in. Where a slot is not a string, a
string is read as JSON, so that every type can come from a variable too. No message has a value.
"""

from __future__ import annotations

import os
import stat
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from bundle.cli import documents, passphrases, sources
from bundle.cli.console import Console
from bundle.cli.trust_options import Trust
from bundle.errors import UsageError
from bundle.model import Bundle, Json
from bundle.record.secret_schema import json_type
from bundle.record.secrets import variable_name
from bundle.trust.verify import SEALED_START, Namespace

_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def is_sealed(name: str) -> bool:
    """Whether a file of secrets is sealed: it begins as those of age do. A pipe is not, nor is what cannot be read."""
    path = Path(name)
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(len(SEALED_START)) == SEALED_START
    except OSError:
        return False


def unsealed(name: str, bundle: Bundle, trust: Trust, identities: Sequence[str]) -> dict[str, Json]:
    """The values in a file that was sealed for this bundle; they are in memory only.

    Raises:
        Distrusted: it is not signed as the user wants it, damaged, for other recipients, or for another bundle.
        UsageError: there is no identity, or it cannot be used.
    """
    # Not at the top: it needs the extra.
    from bundle.trust import sealing  # noqa: PLC0415

    if not identities:
        raise UsageError(f"{name}: sealed secrets need a key to open them", hint="name it with --identity")
    keys = [key for each in identities for key in sealing.identities_of(Path(each), passphrases.ask)]
    named_are_for_the_bundle = msgspec.structs.replace(trust, signatures=())
    with sources.opened(name, named_are_for_the_bundle, Namespace.SECRETS) as source:
        data = source.read(sealing.LONGEST + 1)
        source.finish()
    return sealing.unseal(data, name, bundle.manifest.content_digest, keys)


def read_file(console: Console, name: str | None) -> dict[str, Json]:
    """The filled slots of a secrets file; none where no file was named, nor of a sealed one, which needs its bundle.

    Raises:
        UsageError: it cannot be read, or is not what ``xfer secrets template`` writes.
    """
    if name is None or is_sealed(name):
        return {}
    path = Path(name)
    document = documents.parsed(path, what="a file of secrets", form="`xfer secrets template` writes one to fill in")
    if path.stat().st_mode & _OTHERS:
        console.warn(f"{name}: readable by other users of this machine; run `chmod 600` on it")
    return {slot: value for slot, value in document.items() if value != ""}


def supplied(
    name: str | None, values: Mapping[str, Json], bundle: Bundle, trust: Trust, identities: Sequence[str]
) -> dict[str, Json]:
    """What is supplied for a bundle: ``values`` of the file ``name``, or if that is sealed, what is in it.

    Raises:
        UsageError: a slot is unknown, or a value of another type.
        Distrusted: it is sealed, and not for this bundle or not for us.
    """
    is_held_back = name is not None and is_sealed(name)
    return for_bundle(bundle, unsealed(str(name), bundle, trust, identities) if is_held_back else values)


def for_bundle(bundle: Bundle, file: Mapping[str, Json]) -> dict[str, Json]:
    """The values by slot, each of the slot's type.

    Raises:
        UsageError: a slot is unknown, two slots share a variable that is set, or a value is of another type.
    """
    types = {each.slot: each.type for each in bundle.manifest.secrets}
    values = {**_from_variables(types, os.environ), **file}
    return {slot: _typed(slot, value, types.get(slot)) for slot, value in values.items()}


def _from_variables(slots: Iterable[str], environ: Mapping[str, str]) -> dict[str, Json]:
    by_name: dict[str, list[str]] = defaultdict(list)
    for slot in slots:
        by_name[variable_name(slot)].append(slot)
    found = {name: names for name, names in by_name.items() if name in environ}
    clash = sorted(name for name, names in found.items() if len(names) > 1)
    if clash:
        raise UsageError(
            f"the variable {clash[0]} would fill more than one secret slot",
            hint="name these slots in a file given with --secrets",
        )
    return {slot: environ[name] for name, (slot,) in found.items()}


def _typed(slot: str, value: Json, wanted: str | None) -> Json:
    # The type of a string slot may be a guess: what the server masks is a string, whatever it was.
    if wanted in {None, "string"}:
        return value
    if isinstance(value, str):
        value = _decoded(slot, value, wanted)
    if value is None or json_type(value) != wanted:
        raise UsageError(
            f"the value for the secret {slot} is not of type {wanted}", hint=f"write a JSON value of type {wanted}"
        )
    return value


def _decoded(slot: str, text: str, wanted: str | None) -> Json:
    try:
        return msgspec.json.decode(text)
    except (ValueError, RecursionError):
        # Without the cause: it may quote the text.
        raise UsageError(
            f"the value for the secret {slot} must be JSON of type {wanted}", hint="put strings inside it in quotes"
        ) from None
