"""No request reaches a server that was not named, whatever the surroundings say."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from bundle import cli
from bundle.server.process import Server
from bundle.server.profiles import CONNECTION_SETTINGS
from support import signers
from support.commands import write_profiles, xfer
from support.doors import Door, Head, forward_proxy, reading, trap
from support.environment import Size
from support.peers import peers

CANARY = "CANARY0123456789"


class Trap:
    """A server that nobody named."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.door = Door(trap(self.seen))

    @property
    def url(self) -> str:
        return self.door.url()


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trap]:
    """Everything that Prefect, httpx or curl would listen to points at a trap, with credentials to take along."""
    made = Trap()
    with made.door:
        url = made.url
        values = {
            "PREFECT_API_KEY": f"pnu_{CANARY}",
            "PREFECT_API_AUTH_STRING": f"me:{CANARY}",
            "PREFECT_CLIENT_CUSTOM_HEADERS": json.dumps({"X-Leak": CANARY}),
            "PREFECT_CLIENT_RETRY_EXTRA_CODES": "404",
            "PREFECT_CLIENT_MAX_RETRIES": "0",
        }
        for name in CONNECTION_SETTINGS:
            monkeypatch.setenv(name, values.get(name, "true"))
        for name in ("PREFECT_API_URL", "PREFECT_CLOUD_API_URL", "PREFECT_UI_API_URL", "PREFECT_UI_URL"):
            monkeypatch.setenv(name, url)
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://me:{CANARY}@127.0.0.1:{made.door.port}")
        monkeypatch.setenv("PREFECT_API_REQUEST_TIMEOUT", "0.001")
        monkeypatch.setenv("PREFECT_PROFILE", "elsewhere")
        monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        (tmp_path / ".netrc").write_text(f"default login me password {CANARY}\n")
        (tmp_path / ".netrc").chmod(0o600)
        (tmp_path / ".env").write_text(f"PREFECT_API_URL={url}\nPREFECT_API_KEY=pnu_{CANARY}\n")
        (tmp_path / "prefect.toml").write_text(f'[api]\nurl = "{url}"\nkey = "pnu_{CANARY}"\n')
        (tmp_path / "pyproject.toml").write_text(f'[tool.prefect.api]\nurl = "{url}"\nkey = "pnu_{CANARY}"\n')
        monkeypatch.chdir(tmp_path)
        yield made


COMMANDS = [
    ("export", "--from", "a", "-o", "env.pxb"),
    ("inspect", "env.pxb"),
    ("verify", "env.pxb"),
    ("secrets", "template", "env.pxb"),
    ("profiles",),
    ("check", "--from", "a", "--to", "b"),
    ("plan", "env.pxb", "--to", "b", "-o", "plan.json"),
    ("approve", "env.pxb", "--plan", "plan.json", "--key", "key", "-m", "reviewed"),
    ("import", "env.pxb", "--to", "b", "--receipt", "receipt", "--result", "result.json"),
    ("result", "verify", "result.json", "--bundle", "env.pxb"),
    ("transfer", "--from", "a", "--to", "b", "--no-receipt"),
    ("verify", "env.pxb", "--to", "b"),
    ("diff", "env.pxb", "b"),
    ("deactivate", "--from", "b", "-o", "state.pxb"),
    ("activate", "env.pxb", "--to", "b"),
    ("rollback", "receipt", "--to", "b"),
    ("sign", "env.pxb", "--key", "key"),
    ("split", "env.pxb", "--size", "1MB"),
    ("archive", "init", "store"),
    ("archive", "snapshot", "--from", "a", "--store", "store"),
]


def test_no_command_is_left_out() -> None:
    """The list above has every command, but for those that only have servers of their own."""
    assert {each[0] for each in COMMANDS} == cli.COMMANDS.keys() - {"demo"}


def test_every_command_talks_to_the_named_servers_alone(
    server_factory: Callable[[Size | None], Server], surroundings: Trap, tmp_path: Path
) -> None:
    """Only the named profiles' servers are looked up, connected to or sent anything, and nothing foreign is sent."""
    heads: list[Head] = []
    servers = [server_factory(None), server_factory(None)]
    httpx.post(f"{servers[0].url}/variables/", json={"name": "x", "value": 1}, trust_env=False).raise_for_status()
    with Door(reading(servers[0].port, heads)) as a, Door(reading(servers[1].port, heads)) as b:
        foreign = {"PREFECT_API_URL": surroundings.url, "PREFECT_API_KEY": f"pnu_{CANARY}"}
        write_profiles(
            tmp_path / "profiles.toml",
            active="elsewhere",
            a={"PREFECT_API_URL": a.url()},
            b={"PREFECT_API_URL": b.url()},
            elsewhere=foreign,
        )
        signers.person("ed25519").write(tmp_path / "key")
        with peers() as seen:
            ended = [xfer(*arguments) for arguments in COMMANDS]
        assert [each.code for each in ended] == [0] * len(COMMANDS), [each.err for each in ended if each.code]
        assert seen == {("127.0.0.1", a.port), ("127.0.0.1", b.port)}
    assert surroundings.seen == []
    assert surroundings.door.connections == 0
    assert {head.headers.get("authorization") for head in heads} == {None}
    assert CANARY not in str([head.headers for head in heads])
    assert len(heads) > len(COMMANDS)


def test_through_a_proxy_only_the_proxy_is_met(
    source_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a proxy that the user set, nothing else is connected to, and the server's name is not looked up here."""
    asked: list[str] = []
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "none.toml"))
    with Door(forward_proxy(source_server.port, asked)) as proxy, peers() as seen:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        ended = xfer("export", "--from", "http://prefect.internal:4200/api", "-o", str(tmp_path / "env.pxb"))
    assert ended.code == 0, ended.err
    assert seen == {("127.0.0.1", proxy.port)}
    assert {each.split("/")[2] for each in asked} == {"prefect.internal:4200"}


def test_the_watch_sees_what_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    """A request to the trap is noticed, and so is the look-up of a name: the other tests can fail."""
    lost: list[str] = []
    monkeypatch.setenv("no_proxy", "*")
    with Door(trap(lost)) as door, peers() as seen:
        httpx.get(door.url(), trust_env=False)
        with pytest.raises(httpx.ConnectError):
            httpx.get("http://nowhere.invalid/", trust_env=False)
    assert lost == ["GET /api "]
    assert ("127.0.0.1", door.port) in seen
    assert "nowhere.invalid" in {host for host, _ in seen}
