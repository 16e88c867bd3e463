"""``xfer profiles``: what each profile would connect to, and nothing secret."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from support.commands import write_profiles, xfer

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "report-1.schema.json").read_text())
CLOUD = (
    "https://api.prefect.cloud/api/accounts/11111111-2222-3333-4444-555555555555"
    "/workspaces/aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
)
CANARY = "CANARY0123456789"
PROXY = "through the proxy squid.test:3128"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profiles file with one of each, and a proxy in the environment."""
    file = tmp_path / "profiles.toml"
    write_profiles(
        file,
        active="prod",
        prod={"PREFECT_API_URL": CLOUD, "PREFECT_API_KEY": f"pnu_{CANARY}"},
        lab={
            "PREFECT_API_URL": f"https://me:{CANARY}@lab.test/prefect/api",
            "PREFECT_API_SSL_CERT_FILE": "/etc/lab.pem",
            "PREFECT_CLIENT_CUSTOM_HEADERS": {"X-Gateway": CANARY},
        },
        careless={"PREFECT_API_URL": "https://lab.test/api", "PREFECT_API_TLS_INSECURE_SKIP_VERIFY": "true"},
        broken={"PREFECT_API_URL": f"me:{CANARY}@lab.test/api"},
    )
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(file))
    monkeypatch.setenv("https_proxy", f"http://me:{CANARY}@squid.test:3128")
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    return file


def test_every_profile_is_listed_with_its_server(file: Path) -> None:
    """Each profile has its URL, its credentials masked, its TLS and its proxy, the active one marked."""
    ended = xfer("profiles")
    assert (ended.code, ended.err) == (0, "")
    blocks = ended.out.split("\n\n")
    assert blocks[0].splitlines() == [
        f"{file}:",
        "  broken",
        '      profile "broken": PREFECT_API_URL must begin with http:// or https://',
        "      set it to http://lab.test/api or https://lab.test/api",
        "  careless",
        "      https://lab.test/api",
        f"      no credentials, TLS NOT VERIFIED, {PROXY}",
        "  lab",
        "      https://lab.test/prefect/api",
        f"      user and password ********, TLS verified by /etc/lab.pem, headers X-Gateway, {PROXY}",
        "* prod",
        f"      {CLOUD}",
        f"      Prefect Cloud, API key ********, TLS verified, {PROXY}",
    ]
    assert blocks[1].splitlines()[0] == "Prefect:"
    assert "      a Prefect server that is started for each command, no credentials" in blocks[1].splitlines()
    assert "* Prefect's active profile" in blocks[2]


def test_the_same_as_one_document(file: Path) -> None:
    """With --json the list is one document of the published schema, without any secret."""
    ended = xfer("profiles", "--json")
    found = {each["name"]: each for each in ended.document["connections"]}
    assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(ended.document)) == []
    assert [name for name, each in found.items() if each["is_active"]] == ["prod"]
    assert {name: each["defined_in"] for name, each in found.items()} == {
        **dict.fromkeys(("broken", "careless", "lab", "prod"), str(file)),
        **dict.fromkeys(("cloud", "ephemeral", "local", "test"), "Prefect"),
    }
    assert {name: (found[name]["server"], found[name]["auth"], found[name]["tls"]) for name in ("lab", "prod")} == {
        "lab": ("self-hosted", "basic", "verified"),
        "prod": ("cloud", "bearer", "verified"),
    }
    assert found["broken"]["url"] is None
    assert found["broken"]["problem"]["code"] == "ProfileError"
    assert found["ephemeral"]["server"] == "started"
    assert CANARY not in ended.out + xfer("profiles", "-v").out


def test_the_environment_is_listed_where_it_says_something(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name env is listed where PREFECT_* variables are set; PREFECT_PROFILE says which is active."""
    assert '"env"' not in xfer("profiles", "--json").out
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:4200/api")
    monkeypatch.setenv("PREFECT_PROFILE", "lab")
    found = {each["name"]: each for each in xfer("profiles", "--json").document["connections"]}
    assert found["env"]["defined_in"] == "the environment"
    assert found["env"]["url"] == "http://127.0.0.1:4200/api"
    assert found["env"]["proxy"] is None
    assert [name for name, each in found.items() if each["is_active"]] == ["lab"]
    assert file.exists()


def test_without_a_file_prefects_own_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no profiles file, the active one is the one that Prefect would use."""
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "none.toml"))
    found = {each["name"]: each for each in xfer("profiles", "--json").document["connections"]}
    assert [name for name, each in found.items() if each["is_active"]] == ["ephemeral"]
    assert {each["defined_in"] for each in found.values()} == {"Prefect"}


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A broken profiles file is said with its line; exit code 64."""
    (tmp_path / "profiles.toml").write_text("[profiles.a]\nPREFECT_API_KEY = x\n")
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    ended = xfer("profiles")
    assert (ended.code, "profiles.toml, line 2" in ended.err) == (64, True)
