"""Every command that speaks to a server speaks to a workspace as well."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bundle.server.process import Server
from support.commands import write_profiles, xfer
from support.emulator import KEY, Cloud, Rules
from support.environment import Api, seed_pools

Clouds = Callable[[Rules | None], Cloud]


@pytest.fixture
def cloud(cloud_factory: Clouds, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """An empty workspace, which the profile ``cloud`` stands for, and a directory to work in."""
    made = cloud_factory(None)
    write_profiles(tmp_path / "profiles.toml", active="", cloud={"PREFECT_API_URL": made.url, "PREFECT_API_KEY": KEY})
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    monkeypatch.chdir(tmp_path)
    return made


def test_a_workspace_is_filled_checked_switched_and_emptied(cloud: Cloud, destination_server: Server) -> None:
    """All commands from import to rollback work with a workspace, and leave what was there before."""
    seed_pools(destination_server.url, cloud_pools=False)
    with cloud.client() as client:
        client.post("/webhooks/", json={"name": "there before", "template": "{}"}).raise_for_status()
    commands = [
        f"export --from {destination_server.url} -o env.pxb",
        "import env.pxb --to cloud --receipt made.receipt",
        "verify env.pxb --to cloud",
        "export --from cloud -o cloud.pxb",
        "diff env.pxb cloud.pxb",
        "check --from cloud",
        "deactivate --from cloud -o before.pxb",
        "activate env.pxb --to cloud",
        "rollback made.receipt --to cloud",
    ]
    codes = {command: xfer(*command.split()).code for command in commands}

    # The webhook that was there before is a difference.
    assert codes == dict.fromkeys(commands, 0) | {"diff env.pxb cloud.pxb": 2}
    with Api(cloud.upstream_url) as api:
        left = {path: api.read_all(f"/{path}/filter") for path in ("flows", "deployments", "work_pools", "automations")}
    assert left == {"flows": [], "deployments": [], "work_pools": [], "automations": []}
    assert [row["name"] for row in cloud.webhooks.values()] == ["there before"]


def test_what_only_cloud_can_switch_on_is_told(cloud: Cloud, destination_server: Server) -> None:
    """To activate at a server what needs Cloud is no failure, and says why it does not happen."""
    with cloud.client() as client:
        body = {"name": "a", "trigger": {"type": "metric"}, "actions": [{"type": "declare-incident"}]}
        client.post("/automations/", json=body).raise_for_status()
    assert xfer("export", "--from", "cloud", "-o", "env.pxb").code == 0

    ended = xfer("activate", "env.pxb", "--to", destination_server.url)

    assert (ended.code, "cloud-only (1)" in ended.out) == (0, True)
