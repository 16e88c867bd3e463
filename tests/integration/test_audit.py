"""Proving afterwards what is there: verify against a server, and the difference of two environments."""

from __future__ import annotations

from pathlib import Path

from bundle.container.writer import write_file
from bundle.server.process import Server
from support.commands import xfer_json
from support.environment import Api
from support.moving import bundle_of, export, import_into


def _bundle(url: str, path: Path) -> str:
    exported = export(url)
    write_file(exported.header, exported.records, path, force=False)
    return str(path)


def _edit(url: str) -> set[str]:
    """Three edits; the keys of what they touch."""
    with Api(url) as api:
        api.patch("/variables/name/a_number", value=43)
        api.patch("/work_pools/local/queues/high", is_paused=False)
        flow = next(row for row in api.read_all("/automations/filter") if row["name"] == "every action")
        api.send("PATCH", f"/automations/{flow['id']}", {"enabled": not flow["enabled"]})
    return {"variable:a_number", "work-queue:local/high", "automation:every action"}


def test_verify_finds_exactly_the_drift(source_server: Server, destination_server: Server, tmp_path: Path) -> None:
    """After an import nothing differs; after three edits and a deletion exactly these are named, field by field."""
    file = _bundle(source_server.url, tmp_path / "env.pxb")
    import_into(destination_server.url, bundle_of(source_server.url))
    code, clean = xfer_json("verify", file, "--to", destination_server.url)

    edited = _edit(destination_server.url)
    with Api(destination_server.url) as api:
        api.delete("/variables/name/nothing")
    drift_code, drifted = xfer_json("verify", file, "--to", destination_server.url)

    assert (code, clean["summary"]["different"], clean["summary"]["missing"]) == (0, 0, 0)
    assert drift_code == 2
    found = {each["key"]: each for each in drifted["resources"] if each["reason"] != "exists-same"}
    assert found.keys() == edited | {"variable:nothing"}
    assert drifted["summary"]["missing"] == 1
    assert found["variable:a_number"]["differences"][0]["destination"] == 43


def test_verify_names_the_secrets_that_are_not_there_yet(
    source_server: Server, destination_server: Server, tmp_path: Path
) -> None:
    """Markers in the places of secrets are no drift, but they are told; a live secret is said to be kept."""
    file = _bundle(source_server.url, tmp_path / "env.pxb")
    bundle = bundle_of(source_server.url)
    supplied = "block:secret/db-password#/data/value"
    import_into(destination_server.url, bundle, secrets={supplied: "live"})

    code, report = xfer_json("verify", file, "--to", destination_server.url)

    states = {each["slot"]: each["state"] for each in report["secrets"]}
    assert (code, report["summary"]["secrets_outstanding"]) == (0, len(bundle.manifest.secrets) - 1)
    assert states == {each.slot: "outstanding" for each in bundle.manifest.secrets} | {supplied: "kept"}


def test_diff_reads_like_a_change_log(source_server: Server, destination_server: Server, tmp_path: Path) -> None:
    """Between two exports of one environment: what was added, removed and changed, and nothing else."""
    import_into(destination_server.url, bundle_of(source_server.url))
    older = _bundle(destination_server.url, tmp_path / "older.pxb")
    edited = _edit(destination_server.url)
    with Api(destination_server.url) as api:
        api.delete("/variables/name/nothing")
        api.create("/variables/", name="brand_new", value=1)

    code, report = xfer_json("diff", older, destination_server.url)
    same_code, same = xfer_json("diff", source_server.url, older)

    fates = {each["key"]: each["reason"] for each in report["resources"] if each["reason"] != "unchanged"}
    assert code == 2
    assert fates == dict.fromkeys(edited, "changed") | {"variable:nothing": "removed", "variable:brand_new": "added"}
    assert (same_code, same["summary"]["unchanged"]) == (0, same["summary"]["total"])
