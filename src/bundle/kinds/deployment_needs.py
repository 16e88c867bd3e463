"""What a deployment needs of a person where it is new: code, images, and switches that are off. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bundle.kinds.runnable import as_object
from bundle.model import Body, Json


def to_do(body: Body) -> Iterator[tuple[str, str]]:
    """Codes of ``plan.next_steps``, each with a detail; the body may have any shape."""
    image = as_object(body.get("job_variables")).get("image")
    if not image and not body.get("storage_document_id"):
        yield from (("bring-code", place) for place in _directories(body))
    if isinstance(image, str):
        yield "check-image", image
    if body.get("paused"):
        yield "switch-on", "paused"
    elif any(not as_object(each).get("active") for each in _items(body.get("schedules"))):
        yield "switch-on", "a schedule"


def _directories(body: Body) -> list[str]:
    """The directory of the machine that deployed it, if its code is read from there."""
    steps = [step for each in _items(body.get("pull_steps")) for step in as_object(each).items()]
    found = [
        str(as_object(inputs).get("directory")) for name, inputs in steps if name.endswith("set_working_directory")
    ]
    path = str(body.get("path") or "")
    return found[:1] or ([path] if not body.get("pull_steps") and path.startswith("/") else [])


def _items(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
