"""Whole environments into and out of an emulated Prefect Cloud, a real server behind it."""

from __future__ import annotations

from bundle.model import Bundle
from bundle.server.process import Server
from support.compare import compare
from support.emulator import Cloud
from support.moving import bundle_of, import_into

# A workspace has no place for a server's default result storage.
NOT_ON_CLOUD = "default-result-storage"


def digests(bundle: Bundle) -> dict[str, str]:
    """What a workspace can hold of a bundle, as digests by key."""
    records = [placed.record for placed in bundle.records]
    return {record.key: record.digest for record in records if record.kind != NOT_ON_CLOUD}


def test_an_environment_goes_to_cloud_and_back(source_server: Server, destination_server: Server) -> None:
    """What a server holds arrives in a workspace, and an export of that is the same; a second import writes nothing."""
    bundle = bundle_of(source_server.url)

    with Cloud(destination_server.url) as cloud:
        first = import_into(cloud.target, bundle)
        second = import_into(cloud.target, bundle)
        back = bundle_of(cloud.target)

    assert first.result.count("failed") == first.result.count("blocked") == 0
    assert [each.kind for each in first.result.outcomes if each.reason == "not-offered"] == [NOT_ON_CLOUD]
    assert second.sent.writes == 0
    assert compare(source_server.url, destination_server.url, ignore=[f"{NOT_ON_CLOUD} *"]) == []
    assert digests(back) == digests(bundle)
    assert back.manifest.findings == bundle.manifest.findings
