"""``xfer check`` on real servers: each verdict with what to do next, and no write."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import trustme

from bundle.operations.export import export_environment
from bundle.server.client import PrefectApi
from bundle.server.process import Server
from bundle.server.responses import Sent
from conftest import PASSWORD, PREFECT
from support.commands import Ended, write_profiles, xfer
from support.doors import Door, answer, read_head, to, trap
from support.emulator import KEY, Cloud
from support.environment import Size
from support.moving import CREATED, bundle_of, import_into
from support.proxy import Proxy
from support.targets import target

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas" / "report-1.schema.json").read_text())


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Writes the profiles in use."""
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    return lambda **tables: write_profiles(tmp_path / "profiles.toml", **tables)


Write = Callable[..., None]


def verdicts(ended: Ended) -> dict[tuple[str | None, str], str]:
    """What was looked at, where, and how it stands; the document must fit the schema."""
    assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(ended.document)) == []
    return {(each["part"], each["subject"]): each["verdict"] for each in ended.document["checks"]}


def check_of(ended: Ended, subject: str) -> Any:
    return next(each for each in ended.document["checks"] if each["subject"] == subject)


GOOD = ("profile", "TLS", "connection", "authentication", "version", "limits")


def test_two_good_servers(source_server: Server, hardened_server: Server, profiles: Write) -> None:
    """Everything is looked at and in order, what is there is counted, and nothing is written; exit code 0."""
    with Proxy(source_server.url) as a, Proxy(hardened_server.url) as b:
        profiles(a={"PREFECT_API_URL": a.url}, b={"PREFECT_API_URL": b.url, "PREFECT_API_AUTH_STRING": PASSWORD})
        ended = xfer("check", "--from", "a", "--to", "b", "--json")
        assert [each for proxy in (a, b) for each in proxy.writes] == []
        text = xfer("check", "--from", "a", "--to", "b").out
    assert ended.code == 0
    looked_at = {(part, subject) for part in ("source", "destination") for subject in GOOD}
    assert verdicts(ended).keys() == {*looked_at, (None, "fields")}
    assert set(verdicts(ended).values()) == {"ok"}
    assert [each["message"] for each in ended.document["checks"] if each["subject"] == "limits"] == [
        "lists 200 at a time; no limit of a plan",
        "lists 50 at a time; no limit of a plan",
    ]
    assert f"  ✓ version: Prefect {PREFECT}\n" in text
    assert "user and password ********" in text
    assert PASSWORD not in text
    assert text.endswith("13 ok, 0 warnings, 0 failed\n")


def test_the_estimates_are_near_what_happens(source_server: Server, server_factory: Any) -> None:
    """The numbers of requests that are foretold are those of a real export and import, but for a few."""
    destination = server_factory(None)
    told = {
        each["command"]: each
        for each in xfer("check", "--from", source_server.url, "--to", destination.url, "--json").document["estimates"]
    }

    async def export() -> Sent:
        async with PrefectApi(target(source_server.url)) as api:
            await export_environment(api, created=CREATED)
            return api.sent

    exported, imported = asyncio.run(export()), import_into(destination.url, bundle_of(source_server.url)).sent
    assert (told["export"]["reads"], told["export"]["writes"]) == (pytest.approx(exported.reads, rel=0.1), 0)
    assert told["import"]["writes"] == pytest.approx(imported.writes, rel=0.25)
    both = told["import"]["reads"] + told["import"]["writes"]
    assert both == pytest.approx(imported.reads + imported.writes, rel=0.25)
    assert told["export"]["seconds"] > 0


def test_the_counts_are_what_an_export_takes(source_server: Server) -> None:
    """What is counted of each kind is what a bundle holds, but for blocks and types that nothing needs."""
    held = xfer("check", "--from", source_server.url, "--json").document["kinds"]
    census = bundle_of(source_server.url).manifest.census
    exact = ("flow", "deployment", "variable", "work-pool", "work-queue", "tag-limit", "saved-search", "automation")
    assert {kind: held[kind]["source"] for kind in exact} == {kind: census[kind].exported for kind in exact}


@pytest.mark.parametrize("settings", [{}, {"PREFECT_API_AUTH_STRING": "admin:no"}])
def test_a_wrong_password(hardened_server: Server, profiles: Write, settings: dict[str, str]) -> None:
    """The server answers, but does not let us in; exit code 5, and nothing further is asked of it."""
    profiles(a={"PREFECT_API_URL": hardened_server.url, **settings})
    ended = xfer("check", "--from", "a", "--json")
    assert ended.code == 5
    assert verdicts(ended)["source", "connection"] == "ok"
    assert verdicts(ended)["source", "authentication"] == "failed"
    assert 'profile "a"' in check_of(ended, "authentication")["hint"]
    assert ended.document["estimates"] == []


def test_a_wrong_url(source_server: Server) -> None:
    """A URL beside the API's is told as such, with the right one."""
    right = source_server.url
    ended = xfer("check", "--to", right.removesuffix("/api"), "--json")
    assert (ended.code, verdicts(ended)["destination", "connection"]) == (5, "failed")
    assert right in check_of(ended, "connection")["hint"]


def test_nobody_there(source_server: Server) -> None:
    """One server that cannot be reached does not keep the other from being looked at."""
    ended = xfer("check", "--from", "http://127.0.0.1:1/api", "--to", source_server.url, "--json")
    found = verdicts(ended)
    assert (ended.code, found["source", "connection"]) == (5, "failed")
    assert all(found["destination", subject] == "ok" for subject in GOOD)
    assert "connection refused" in check_of(ended, "connection")["message"]
    assert set(ended.document["kinds"]["flow"]) == {"destination"}


def test_not_a_prefect_server() -> None:
    """Something else that answers, with a page or with JSON, is not taken for Prefect."""

    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(answer(200, body=b"<html>welcome</html>"))
        await writer.drain()

    for handler in (page, trap([])):
        with Door(handler) as door:
            ended = xfer("check", "--from", door.url(), "--json")
        assert (ended.code, verdicts(ended)["source", "connection"]) == (5, "failed")
        assert check_of(ended, "connection")["hint"] != ""


def test_certificates(source_server: Server, profiles: Write, tmp_path: Path) -> None:
    """A certificate that is not trusted is a failure, one that is not verified a warning, a good one in order."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    with Door(to(source_server.port), tls=context) as front:
        profiles(
            strange={"PREFECT_API_URL": front.url()},
            careless={"PREFECT_API_URL": front.url(), "PREFECT_API_TLS_INSECURE_SKIP_VERIFY": True},
            good={"PREFECT_API_URL": front.url(), "PREFECT_API_SSL_CERT_FILE": str(tmp_path / "ca.pem")},
            broken={"PREFECT_API_URL": front.url(), "PREFECT_API_SSL_CERT_FILE": str(tmp_path / "none.pem")},
        )
        ended = {name: xfer("check", "--from", name, "--json") for name in ("strange", "careless", "good", "broken")}
    assert {name: each.code for name, each in ended.items()} == {"strange": 5, "careless": 0, "good": 0, "broken": 5}
    assert verdicts(ended["strange"]) == {("source", "profile"): "ok", ("source", "TLS"): "failed"}
    assert verdicts(ended["careless"])["source", "TLS"] == "warning"
    assert verdicts(ended["good"])["source", "TLS"] == "ok"
    assert [each["verdict"] for each in ended["broken"].document["checks"]] == ["ok", "failed"]


def test_an_unknown_profile(source_server: Server, profiles: Write) -> None:
    """A profile that is not there is one failed check, without the secrets in a mistyped URL."""
    profiles(prod={"PREFECT_API_URL": source_server.url})
    ended = xfer("check", "--from", "prd", "--to", "prod", "--json")
    found = verdicts(ended)
    assert (ended.code, found["source", "profile"], found["destination", "profile"]) == (5, "failed", "ok")
    assert 'did you mean "prod"?' in check_of(ended, "profile")["hint"]
    assert "hunter2" not in "".join(xfer("check", "--from", "htp://me:hunter2@h/api")[1:])


def test_one_server_by_two_names(source_server: Server) -> None:
    """Source and destination must not be the same server."""
    ended = xfer("check", "--from", source_server.url, "--to", source_server.url + "/", "--json")
    assert (ended.code, verdicts(ended)[None, "servers"]) == (5, "failed")


def test_a_cloud_workspace(
    server_factory: Callable[[Size | None], Server], source_server: Server, profiles: Write
) -> None:
    """Cloud is used with its key, has what it does not tell named, and its smallest plan is warned of."""
    with Cloud(server_factory(None).url) as cloud:
        profiles(good={"PREFECT_API_URL": cloud.url, "PREFECT_API_KEY": KEY}, bad={"PREFECT_API_URL": cloud.url})
        ended = xfer("check", "--from", source_server.url, "--to", "good", "--json")
        denied = xfer("check", "--to", "bad", "--json")
    assert (ended.code, verdicts(ended)["destination", "version"]) == (0, "ok")
    assert verdicts(ended)[None, "plan"] == "warning"
    assert "Hobby" in check_of(ended, "plan")["message"]
    assert (denied.code, verdicts(denied)["destination", "authentication"]) == (5, "failed")


def test_a_tier_is_checked_where_it_is_told(
    server_factory: Callable[[Size | None], Server], source_server: Server, profiles: Write
) -> None:
    """With --tier the plan is that of the workspace; a destination that has no plan is a mistake; exit code 64."""
    with Cloud(server_factory(None).url) as cloud:
        profiles(prod={"PREFECT_API_URL": cloud.url, "PREFECT_API_KEY": KEY})
        hobby, pro = (
            xfer("check", "--from", source_server.url, "--to", "prod", "--tier", tier, "--json")
            for tier in ("hobby", "pro")
        )
        asked = len(cloud.requests)
        mistaken = [
            xfer("check", "--from", "prod", "--tier", "hobby"),
            xfer("check", "--from", "prod", "--to", source_server.url, "--tier", "hobby"),
        ]
        assert len(cloud.requests) == asked
    assert (hobby.code, verdicts(hobby)[None, "plan"]) == (0, "warning")
    assert "the Hobby tier has managed work pools only" in check_of(hobby, "plan")["message"]
    assert (pro.code, verdicts(pro)[None, "plan"]) == (0, "ok")
    assert [(each.code, "--tier" in each.err) for each in mistaken] == [(64, True)] * 2
