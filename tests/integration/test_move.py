"""The main job on real servers: an environment goes from one to another, whole."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import zstandard

from bundle.model import Bundle
from bundle.plan.actions import REASONS
from bundle.server.process import Server
from support.compare import compare
from support.environment import Canaries, Size, random_environment
from support.moving import bundle_of, export, import_into, written

Factory = Callable[[Size | None], Server]


def _is_accounted(outcomes: Any, bundle: Any) -> bool:
    keys = [outcome.key for outcome in outcomes]
    return keys == [placed.record.key for placed in bundle.records] and len(keys) == len(set(keys))


def test_a_whole_environment_arrives(source_server: Server, destination_server: Server, small: Bundle) -> None:
    """Export, import, export again: equal digests, and an independent comparison finds no difference."""
    imported = import_into(destination_server.url, small)

    assert {outcome.state for outcome in imported.result.outcomes} <= {"succeeded", "skipped"}
    assert _is_accounted(imported.result.outcomes, small)
    assert bundle_of(destination_server.url).manifest.content_digest == small.manifest.content_digest
    assert compare(source_server.url, destination_server.url) == []


def test_a_second_import_writes_nothing(destination_server: Server, small: Bundle) -> None:
    """The second import finds everything the same and sends no write request."""
    import_into(destination_server.url, small)

    again = import_into(destination_server.url, small)

    assert again.reasons() == {"exists-same": len(small.records)}
    assert again.sent.writes == 0


@pytest.mark.parametrize("seed", [11, 12])
def test_environments_never_seen_arrive(server_factory: Factory, seed: int) -> None:
    """Environments drawn at random arrive whole: names, references and values of every sort."""
    source, destination = server_factory(None), server_factory(None)
    random_environment(source.url, seed)
    bundle = bundle_of(source.url)

    import_into(destination.url, bundle)

    assert bundle_of(destination.url).manifest.content_digest == bundle.manifest.content_digest
    assert compare(source.url, destination.url) == []


def test_the_census_is_the_servers_own_count(source_server: Server, small: Bundle) -> None:
    """Seen, exported and left out add up, and agree with what the server counts."""
    for kind, count in small.manifest.census.items():
        assert count.seen == count.exported + count.left_out, kind
    for kind, route in (("variable", "variables"), ("flow", "flows"), ("deployment", "deployments")):
        counted = httpx.post(f"{source_server.url}/{route}/count", json={}, trust_env=False).json()
        assert small.manifest.census[kind].seen == counted


def test_no_id_of_the_source_is_in_a_record(source_server: Server, small: Bundle) -> None:
    """What moves holds no id of anything that was exported."""
    ids = set()
    for route in ("flows", "deployments", "variables", "automations", "work_pools", "block_documents", "work_queues"):
        rows = httpx.post(f"{source_server.url}/{route}/filter", json={}, trust_env=False).json()
        ids |= {row["id"] for row in rows}
    text = " ".join(str(placed.record.body) for placed in small.records)

    assert ids & set(re.findall(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", text)) == set()


def test_dangling_references_stop_nothing(small: Bundle) -> None:
    """References whose target was deleted are kept, listed, and do not stop anything."""
    codes = {finding.code for finding in small.manifest.findings}

    assert "dangling-reference" in codes
    assert "unresolved-name" in codes


def test_what_exists_is_left_alone(destination_server: Server, small: Bundle) -> None:
    """An object that was edited at the destination is untouched by the next import, which says that it differs."""
    import_into(destination_server.url, small)
    name = next(placed.record.body["name"] for placed in small.records if placed.record.kind == "variable")
    url = f"{destination_server.url}/variables/name/{name}"
    httpx.patch(url, json={"value": "edited here"}, trust_env=False).raise_for_status()

    again = import_into(destination_server.url, small)

    assert again.sent.writes == 0
    assert again.reasons()["exists-differs"] == 1
    assert httpx.get(url, trust_env=False).json()["value"] == "edited here"


def test_what_is_missing_is_made_again(destination_server: Server, small: Bundle, source_server: Server) -> None:
    """Objects deleted at the destination come back with the next import, and nothing else is written."""
    import_into(destination_server.url, small)
    rows = httpx.post(f"{destination_server.url}/automations/filter", json={}, trust_env=False).json()
    gone = [row for row in rows if row["name"] == rows[0]["name"]]
    for row in gone:
        httpx.delete(f"{destination_server.url}/automations/{row['id']}", trust_env=False).raise_for_status()

    again = import_into(destination_server.url, small)

    assert again.result.count("succeeded") == len(gone)
    assert compare(source_server.url, destination_server.url) == []


class _Killed(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("fraction", [0.02, 0.3, 0.6, 0.8, 0.95])
def test_a_killed_import_is_finished_by_the_next(
    source_server: Server, destination_server: Server, small: Bundle, fraction: float
) -> None:
    """However far an import came before it died, the next one ends as a clean one would."""
    last = int(len(small.records) * 1.06 * fraction)

    def killing(api: Any) -> Any:
        written_so_far = 0
        write = api.write

        async def limited(*arguments: Any, **options: Any) -> Any:
            nonlocal written_so_far
            written_so_far += 1
            if written_so_far > last:
                raise _Killed
            return await write(*arguments, **options)

        api.write = limited
        return api

    with pytest.raises(BaseExceptionGroup):
        import_into(destination_server.url, small, wrap=killing)

    import_into(destination_server.url, small)

    assert compare(source_server.url, destination_server.url) == []
    assert bundle_of(destination_server.url).manifest.content_digest == small.manifest.content_digest


def test_no_secret_is_in_the_bundle(source_server: Server, canaries: Canaries) -> None:
    """No byte of a bundle holds a secret that Prefect means to mask, in any encoding."""
    data = written(export(source_server.url))
    plain = b"".join(_members(data))

    assert canaries.search(plain) == []
    assert canaries.search(data) == []


def test_redaction_takes_out_what_only_looks_secret(source_server: Server, canaries: Canaries) -> None:
    """With redaction, credentials in places that Prefect does not mask are placeholders too."""
    exported = export(source_server.url)
    suspected = [finding for finding in exported.header.findings if finding.code == "secret-suspected"]
    plain = b"".join(_members(written(export(source_server.url, redact=True))))

    assert len(suspected) >= len(canaries.unmasked)
    assert canaries.search_unmasked(plain) == []


def _members(data: bytes) -> list[bytes]:
    plain = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(data), read_across_frames=True).read()
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        return [archive.extractfile(member).read() for member in archive]  # type: ignore[union-attr]


def test_a_supplied_secret_is_live_at_the_destination(destination_server: Server, small: Bundle) -> None:
    """A secret supplied with the import is what the block holds; the others hold a marker, never the mask."""
    slot = next(each for each in small.manifest.secrets if each.resource.startswith("block:secret/"))
    import_into(destination_server.url, small, secrets={slot.slot: "hunter2"})

    documents = httpx.post(
        f"{destination_server.url}/block_documents/filter", json={"include_secrets": True}, trust_env=False
    ).json()
    values = {document["name"]: document["data"] for document in documents}

    assert values[slot.resource.partition("/")[2]]["value"] == "hunter2"
    assert "this secret was not supplied" in str(values)


def test_a_secret_supplied_later_fills_its_marker_once(destination_server: Server, small: Bundle) -> None:
    """A later run puts a supplied secret where the marker stands, and the run after that writes nothing."""
    slots = {each.slot: f"value of {each.slot}" for each in small.manifest.secrets}
    import_into(destination_server.url, small)

    filled = import_into(destination_server.url, small, secrets=slots)
    again = import_into(destination_server.url, small, secrets=slots)

    assert filled.reasons()["secret-filled"] > 0
    assert again.sent.writes == 0
    revealed = httpx.post(
        f"{destination_server.url}/block_documents/filter",
        json={"include_secrets": True, "block_documents": {"is_anonymous": None}},
        trust_env=False,
    ).text
    assert "this secret was not supplied" not in revealed


def test_a_live_secret_is_never_overwritten(destination_server: Server, small: Bundle) -> None:
    """A secret that was set at the destination survives imports with and without supplied secrets."""
    import_into(destination_server.url, small)
    slot = next(each for each in small.manifest.secrets if each.resource.startswith("block:secret/"))
    name = slot.resource.partition("/")[2]
    url = f"{destination_server.url}/block_types/slug/secret/block_documents/name/{name}?include_secrets=true"
    document = httpx.get(url, trust_env=False).json()
    httpx.patch(
        f"{destination_server.url}/block_documents/{document['id']}", json={"data": {"value": "live"}}, trust_env=False
    ).raise_for_status()

    import_into(destination_server.url, small)
    import_into(destination_server.url, small, secrets={slot.slot: "other"})

    assert httpx.get(url, trust_env=False).json()["data"]["value"] == "live"


def test_missing_secrets_may_be_skipped(destination_server: Server, small: Bundle) -> None:
    """With the policy skip, blocks that lack a secret are skipped, and what needs them is blocked by name."""
    imported = import_into(destination_server.url, small, missing="skip")
    reasons = imported.reasons()

    assert reasons["secret-missing"] > 0
    assert set(reasons) <= set(REASONS)
    assert _is_accounted(imported.result.outcomes, small)
    for outcome in imported.result.outcomes:
        assert (outcome.state == "blocked") == bool(outcome.waits_for)


def test_nothing_is_cut_at_a_page(server_factory: Factory) -> None:
    """410 deployments and 410 variables, pages of them, all arrive at an empty SQLite server that answers 503."""
    source, destination = server_factory(Size.BULK), server_factory(None)
    bundle = bundle_of(source.url)

    imported = import_into(destination.url, bundle)

    assert imported.result.count("failed") == imported.result.count("blocked") == 0
    assert bundle.manifest.census["deployment"].exported == 410
    assert bundle.manifest.census["variable"].exported == 410
    assert compare(source.url, destination.url) == []
    assert import_into(destination.url, bundle).sent.writes == 0
