"""Names the slots of secrets, fills them, and makes the marker for a missing one.

Rules:

1. Prefect's own masking is not trusted: it lets objects under a secret field
   through. What is secret, a schema says (``secret_schema``).
2. The whole value at a secret place is taken out, whatever its type. Null and
   what is empty hold no secret and stay.
3. What merely looks like a secret elsewhere is found by ``suspects``.

Pure: no I/O, no logging.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from bundle.model import Body, Json, Key, Pointer, Secret
from bundle.record.pointers import replace_all, resolve

_NOT_SUPPLIED = "xfer: this secret was not supplied:"
# A map is used member by member: those of ``headers`` are sent to whoever is called.
_NAME_OF_MEMBER = "xfer: these secrets\nwere not supplied"
SUPPLIED_PREFIX = "XFER_SECRET_"


def slot_id(key: Key, pointer: Pointer) -> str:
    """The name of a secret slot: the resource's key, a ``#``, the place in its body."""
    return f"{key}#{pointer}"


def variable_name(slot: str) -> str:
    """The environment variable that fills a slot: ``XFER_SECRET_BLOCK_SECRET_DB_DATA_VALUE``."""
    return SUPPLIED_PREFIX + re.sub(r"[^A-Za-z0-9]+", "_", slot).strip("_").upper()


def marker(secret: Secret) -> Json:
    """What is in the place of a missing secret: it fails where it is used, and says which one is missing.

    No HTTP library sends a text of two lines as the name or value of a header, or in a URL.
    """
    text = f"{_NOT_SUPPLIED}\n{secret.slot}"
    return {"object": {_NAME_OF_MEMBER: text}, "array": [text]}.get(secret.type, text)


def _older_marker(secret: Secret) -> Json:
    """What earlier versions left there."""
    text = f"{_NOT_SUPPLIED} {secret.slot}"
    return {"object": {"xfer": text}, "array": [text]}.get(secret.type, text)


def fill(body: Body, secrets: Iterable[Secret], supplied: Mapping[str, Json]) -> Body:
    """The body with each secret's supplied value, or its marker, in place."""
    return replace_all(
        body, {each.pointer: supplied[each.slot] if each.slot in supplied else marker(each) for each in secrets}
    )


def still_marked(body: Body, secret: Secret) -> bool:
    """Whether the destination still holds our marker in a slot."""
    try:
        return resolve(body, secret.pointer) in (marker(secret), _older_marker(secret))
    except LookupError:
        return False
