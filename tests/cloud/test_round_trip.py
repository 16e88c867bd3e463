"""Whole environments into and out of an emulated Prefect Cloud, a real server behind it."""

from __future__ import annotations

from collections.abc import Callable

from bundle.model import Bundle
from bundle.server.process import Server
from support.compare import compare
from support.emulator import Cloud, Rules
from support.moving import bundle_of, import_into

# A workspace has no place for a server's default result storage.
NOT_ON_CLOUD = "default-result-storage"
# The route for tag limits that every server has takes a tag and a number.
JUST_A_NUMBER = "tag-limit"


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


def test_rows_with_fields_of_tomorrow_arrive_in_another_workspace(
    source_server: Server, cloud_factory: Callable[[Rules | None], Cloud]
) -> None:
    """A workspace does not say what it takes; what its requests refuse is left out and named, and nothing is lost."""
    with Cloud(source_server.url, Rules(ahead=True)) as there:
        bundle = bundle_of(there.target)
    cloud = cloud_factory(Rules(ahead=True))

    first = import_into(cloud.target, bundle)
    second = import_into(cloud.target, bundle)

    assert first.result.count("failed") == first.result.count("blocked") == 0
    created = {each.kind for each in first.outcomes if each.reason.startswith("created")}
    assert {each.kind for each in first.outcomes if "/from_tomorrow" in each.dropped} == created - {
        NOT_ON_CLOUD,
        JUST_A_NUMBER,
    }
    assert second.sent.writes == 0
    assert set(second.reasons()) <= {"exists-same", "not-offered"}
