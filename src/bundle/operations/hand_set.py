"""Tells what was created with secrets, and may have been given another secret since.

Servers hide secrets, so a comparison does not see that one was set by hand. Nothing about a supplied secret is
kept to compare with, not even a digest, from which a weak one could be guessed. Either of these proves enough:

* the time of the last change is the one that the destination gave when it answered the creation;
* every secret is still the placeholder, which says that it was not supplied.
"""

from __future__ import annotations

from collections.abc import Mapping

from bundle.environment.describe import Environment
from bundle.environment.reveal import reveal
from bundle.model import Api, Key
from bundle.operations.receipt import Receipt
from bundle.record.secrets import still_marked


async def hand_set(receipt: Receipt, api: Api, destination: Environment, found: Mapping[Key, str]) -> frozenset[Key]:
    """The keys of what may have been given a secret by hand, and so has to be kept.

    Args:
        receipt: of the import.
        api: the destination.
        destination: as it was read before anything was written.
        found: the ids of what the import made, by key.

    Raises:
        ServerError: the destination cannot be asked for what it holds.
    """
    doubtful = {
        record.key: record
        for record in receipt.to_make
        if record.secrets and record.key in found and not _is_unchanged(record.key, receipt, destination, found)
    }
    keys = destination.keys
    live = await reveal([keys[found[key]] for key in doubtful], api, destination)
    return frozenset(
        key
        for key, record in doubtful.items()
        if not all(still_marked(live.get(found[key], {}), each) for each in record.secrets)
    )


def _is_unchanged(key: Key, receipt: Receipt, destination: Environment, found: Mapping[Key, str]) -> bool:
    """Whether nobody has written to a resource since the answer to its creation."""
    answered = receipt.updated.get(key)
    return answered is not None and destination.rows[found[key]].get("updated") == answered
