"""Secrets that are empty are no secrets: they are recorded as they are, and arrive as they are."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from bundle.model import Bundle
from support.fake_prefect import FakePrefect
from support.moving import bundle_of, import_into
from support.offline import speaking_to
from support.tampering import Tampering

FIELDS = {
    "title": "Hook",
    "type": "object",
    "properties": {"url": {"type": "string"}, "headers": {"type": "object"}, "more": {}},
    "secret_fields": ["url", "headers.*", "more"],
    "block_type_slug": "hook",
}


def hook(fake: FakePrefect, data: dict[str, Any]) -> Bundle:
    """A server with one block, and what an export of it says."""
    with speaking_to(fake) as api:
        kind = api.create("/block_types/", name="Hook", slug="hook")
        schema = api.create("/block_schemas/", block_type_id=kind, fields=FIELDS, capabilities=[], version="1")
        api.create("/block_documents/", name="h", block_type_id=kind, block_schema_id=schema, data=data)
    return bundle_of(fake)


def slots(bundle: Bundle) -> list[str]:
    return [each.pointer for each in bundle.manifest.secrets]


@pytest.mark.parametrize("empty", ["", {}, [], None])
def test_an_empty_secret_is_recorded_as_empty(empty: Any) -> None:
    """The server masks what is empty, too; it is asked, and what is made of it elsewhere is empty again."""
    bundle, fake = hook(FakePrefect(), {"url": "s3cr3t", "headers": {}, "more": empty}), FakePrefect(seed=1)

    imported = import_into(fake, bundle)

    (row,) = fake.rows("block_documents", name="h")
    assert slots(bundle) == ["/data/url"]
    assert (row["data"]["headers"], row["data"].get("more")) == ({}, empty)
    assert imported.by_key()["block:hook/h"].missing_secrets == ("block:hook/h#/data/url",)
    assert import_into(fake, bundle).sent.writes == 0
    assert bundle_of(fake).manifest.content_digest == bundle.manifest.content_digest


def test_what_is_not_shown_counts_as_a_secret() -> None:
    """Where the credentials do not permit to see secrets, nobody knows which of them are empty."""
    fake = FakePrefect()
    hook(fake, {"url": "", "headers": {}, "more": "x"})

    def before(request: httpx.Request) -> httpx.Response | None:
        is_asked = b'"include_secrets":true' in request.content
        return httpx.Response(403, json={"detail": "no"}) if is_asked else None

    assert slots(bundle_of(fake, transport=Tampering(fake, before))) == ["/data/headers", "/data/more", "/data/url"]
