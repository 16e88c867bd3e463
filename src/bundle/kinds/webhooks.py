"""Webhooks of Prefect Cloud: URLs that turn requests from outside into events.

Only a Cloud workspace has them. The URL is assigned and cannot be set, so a
webhook gets another one wherever it is made, and whoever calls it must learn of it.
Names need not be unique; those of one name are made one after the other.

Sources: docs.prefect.io, concepts/webhooks; Prefect's ``cli/cloud/webhook.py``; the Terraform provider's
``internal/client/webhooks.go``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import ClassVar

from bundle.errors import RequestRejected
from bundle.kinds.base import Kind
from bundle.kinds.fields import NAME, OWN, Field
from bundle.kinds.protocols import Destination, Look, Made, Offer, Raw, Reader, made_of
from bundle.kinds.runnable import Run, shown
from bundle.model import Body, Pointer, Record

_SAME_PAGE_AGAIN = 200


class Webhook(Kind):
    name = "webhook"
    path = "/webhooks"
    fields: ClassVar = {
        "name": NAME,
        "description": Field(str, default=""),
        "enabled": Field(default=True),
        "template": Field(required=True),
        "service_account_id": Field(),
        "slug": OWN,
    }
    cloud_only = True
    unique_names = False
    has_lanes = True

    async def read(self, reader: Reader) -> list[Raw]:
        """``GET /webhooks/`` is there for a ``POST /webhooks/filter`` that is not paged, which is not documented."""
        try:
            return await reader.rows("/webhooks/filter")
        except RequestRejected as error:
            if error.status != _SAME_PAGE_AGAIN:
                raise
            return list(await reader.get("/webhooks/") or ())

    def natural_name(self, raw: Raw, look: Look) -> str:
        """A tilde is doubled, so that a name never ends like the suffix that tells equal names apart."""
        return str(raw["name"]).replace("~", "~~")

    def bound_name(self, body: Body, parent: str) -> str:
        return super().bound_name(body, parent).replace("~", "~~")

    def findings(self, raw: Raw) -> Iterator[tuple[str, Pointer, str]]:
        yield "new-address", "", ""
        if raw.get("service_account_id"):
            yield "not-portable", "/service_account_id", ""

    def runs(self, record: Record) -> Iterator[Run]:
        yield "webhook", "/template", shown(record.body.get("template"))

    def lane(self, body: Body) -> str:
        return str(body["name"])

    def can_change(self, place: Pointer, *, is_removal: bool, raw: Raw, at: Offer) -> bool:
        return True

    async def create(self, to: Destination, body: Body) -> Made:
        """Each ``POST /webhooks/`` makes another one, so it is never repeated blindly."""
        raw = await to.post("/webhooks/", body, repeatable=False)
        return made_of(raw)

    async def update(self, to: Destination, made: Made, body: Body, names: Collection[str]) -> None:
        """``PUT`` the whole, as the Terraform provider does."""
        await to.put("/webhooks/{id}", {**self.defaults, "service_account_id": None, **body}, id=made.id)


KIND = Webhook()
