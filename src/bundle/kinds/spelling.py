"""One spelling for what servers write in several ways."""

from __future__ import annotations

from bundle.model import Body
from bundle.record.canonical import encode
from bundle.record.references import blank_ids

SYSTEM_LABELS = "prefect."


def without_system_labels(body: Body) -> Body:
    """The body without labels that the server sets by itself (``prefect.*``)."""
    labels = {name: value for name, value in (body.get("labels") or {}).items() if not name.startswith(SYSTEM_LABELS)}
    return body | {"labels": labels}


def stable_place(item: Body, *, last: str) -> tuple[str, str, bytes]:
    """What to sort the items of a set by: no id in them counts, and the member ``last`` only between equals."""
    text = encode({name: value for name, value in item.items() if name != last}).decode()
    return blank_ids(text), text, encode(item.get(last))
