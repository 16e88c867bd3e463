"""Self-hosted Prefect as people run it: passwords, prefixes, TLS, gateways, proxies, and databases."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bundle.errors import AccessDenied, RequestRejected, Unreachable
from bundle.model import Bundle, Json
from bundle.server import processes
from bundle.server.client import PrefectApi
from bundle.server.process import Server
from bundle.server.profiles import Profiles, resolve
from bundle.server.retry import RetryPolicy
from bundle.server.target import Target
from conftest import PASSWORD, PREFECT, SETTINGS, ServerPool
from support.commands import Ended, write_profiles, xfer
from support.compare import compare
from support.doors import Door, forward_proxy, gateway, http2, redirect, to, trap, under
from support.moving import bundle_of, import_into
from support.postgresql import cluster


def profile(url: str, **settings: Any) -> Target:
    """The target of a profile with these settings and nothing else."""
    return resolve(Profiles(Path("profiles.toml"), {"p": {"PREFECT_API_URL": url, **settings}}), "p", {})


def ask(target: Target, path: str = "/admin/version") -> Json:
    """The answer to one GET, without patience."""

    async def run() -> Json:
        async with PrefectApi(target, policy=RetryPolicy(attempts=1, first_attempts=1)) as api:
            return await api.get(path)

    return asyncio.run(run())


def assert_whole(bundle: Bundle, where: Target) -> None:
    """Importing makes everything, importing again sends no write, and an export gives the same bundle."""
    first = import_into(where, bundle)
    second = import_into(where, bundle)

    assert {outcome.state for outcome in first.result.outcomes} <= {"succeeded", "skipped"}
    assert second.reasons() == {"exists-same": len(bundle.records)}
    assert second.sent.writes == 0
    assert bundle_of(where).manifest.content_digest == bundle.manifest.content_digest


# -- One server, hardened ---------------------------------------------------------------------------------------------


def test_password_csrf_prefix_and_small_pages_together(
    hardened_server: Server, source_server: Server, server_pool: ServerPool, small: Bundle, tmp_path: Path
) -> None:
    """An environment goes into a hardened server and out of it whole; a second import writes nothing."""
    assert_whole(small, profile(hardened_server.url, PREFECT_API_AUTH_STRING=PASSWORD))

    plain = server_pool.take()
    server_pool.load(plain, hardened_server.snapshot(tmp_path / "hardened.db"))
    assert compare(source_server.url, plain.url) == []
    server_pool.give_back(plain)


def test_the_password_may_stand_in_the_url_or_in_a_header(hardened_server: Server) -> None:
    """User information of the URL, and a custom header, do as well as PREFECT_API_AUTH_STRING."""
    url = hardened_server.url.replace("//", "//admin:pa%3Ass%20word@")
    assert ask(profile(url)) == PREFECT
    header = {"Authorization": "Basic YWRtaW46cGE6c3Mgd29yZA=="}
    assert ask(profile(hardened_server.url, PREFECT_API_KEY="wrong", PREFECT_CLIENT_CUSTOM_HEADERS=header)) == PREFECT


@pytest.mark.parametrize("settings", [{}, {"PREFECT_API_AUTH_STRING": "admin:no"}, {"PREFECT_API_KEY": "pnu_x"}])
def test_a_wrong_password_is_told_as_such(hardened_server: Server, settings: dict[str, str]) -> None:
    """Without the right password the server is not used, and the error names the profile."""
    with pytest.raises(AccessDenied) as caught:
        ask(profile(hardened_server.url, **settings))
    assert 'profile "p"' in str(caught.value.hint)


def test_csrf_support_may_be_switched_off(hardened_server: Server) -> None:
    """PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=false sends no token, which this server refuses."""
    off = profile(hardened_server.url, PREFECT_API_AUTH_STRING=PASSWORD, PREFECT_CLIENT_CSRF_SUPPORT_ENABLED=False)

    async def count() -> Json:
        async with PrefectApi(off) as api:
            return await api.read("/flows/count", {})

    with pytest.raises(AccessDenied):
        asyncio.run(count())


# -- TLS --------------------------------------------------------------------------------------------------------------


class Authority:
    """A company's own certificate authority: its file, and what a front of the company shows."""

    def __init__(self, directory: Path) -> None:
        self._authority = trustme.CA()
        self.file = str(directory / "company-ca.pem")
        self._authority.cert_pem.write_to_path(self.file)

    def shows(self, *names: str, **validity: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._authority.issue_cert(*names, **validity).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def test_own_authority_over_tls(
    authority: Authority, source_server: Server, destination_server: Server, small: Bundle
) -> None:
    """Behind a front with a certificate of the company's authority an environment arrives and leaves whole."""
    with Door(to(destination_server.port), tls=authority.shows("127.0.0.1")) as front:
        assert_whole(small, profile(front.url(), PREFECT_API_SSL_CERT_FILE=authority.file))
    assert compare(source_server.url, destination_server.url) == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_a_certificate_that_signed_itself(source_server: Server, tmp_path: Path, name: str) -> None:
    """A self-signed certificate is trusted where the profile names it, and nowhere else."""
    key, certificate = _self_signed(tmp_path, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with Door(to(source_server.port), tls=context) as front:
        url = front.url(host=name)
        with pytest.raises(Unreachable, match="its TLS certificate is not trusted") as caught:
            ask(profile(url))
        assert ask(profile(url, PREFECT_API_SSL_CERT_FILE=str(certificate))) == PREFECT
        assert ask(profile(url, PREFECT_API_TLS_INSECURE_SKIP_VERIFY="true")) == PREFECT
    assert 'PREFECT_API_SSL_CERT_FILE of profile "p"' in str(caught.value.hint)


def _self_signed(directory: Path, name: str) -> tuple[Path, Path]:
    """A key and a certificate as ``openssl req -x509`` makes them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "prefect")])
    alternative = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([alternative]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    files = directory / "key.pem", directory / "certificate.pem"
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files[0].write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    files[1].write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(pem))
    return files


def test_wrong_certificates_get_no_request(authority: Authority) -> None:
    """A certificate for another host, one that expired, and one of another authority get no byte of a request.

    The error tells them apart, and says what to do about each.
    """
    past = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    other = trustme.CA()
    foreign = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    other.issue_cert("127.0.0.1").configure_cert(foreign)
    shown = [
        (authority.shows("elsewhere.test"), ": it is for another host", "the name that the certificate is for"),
        (
            authority.shows("127.0.0.1", not_before=past, not_after=past + dt.timedelta(days=1)),
            ": it has expired",
            "renew",
        ),
        (foreign, "", "PREFECT_API_SSL_CERT_FILE"),
    ]
    seen: list[str] = []
    for context, reason, advice in shown:
        with (
            Door(trap(seen), tls=context) as front,
            pytest.raises(Unreachable, match=f"certificate is not trusted{reason}$") as caught,
        ):
            ask(profile(front.url(), PREFECT_API_KEY="pnu_x", PREFECT_API_SSL_CERT_FILE=authority.file))
        assert advice in caught.value.hint
    assert seen == []


def test_http2(authority: Authority, source_server: Server, small: Bundle) -> None:
    """PREFECT_API_ENABLE_HTTP2 speaks HTTP/2 where the server does; without it, HTTP/1.1 is spoken."""
    context = authority.shows("127.0.0.1")
    context.set_alpn_protocols(["h2", "http/1.1"])
    agreed: list[str] = []
    with Door(http2(source_server.port, agreed), tls=context) as front:
        trust = {"PREFECT_API_SSL_CERT_FILE": authority.file}
        ask(profile(front.url(), **trust))
        bundle = bundle_of(profile(front.url(), **trust, PREFECT_API_ENABLE_HTTP2=True))
    assert (agreed[0], set(agreed[1:])) == ("http/1.1", {"h2"})
    assert bundle.manifest.content_digest == small.manifest.content_digest


def test_http2_is_not_insisted_on(authority: Authority, source_server: Server) -> None:
    """Where the front knows only HTTP/1.1, the setting has no effect."""
    with Door(to(source_server.port), tls=authority.shows("127.0.0.1")) as front:
        settings = {"PREFECT_API_SSL_CERT_FILE": authority.file, "PREFECT_API_ENABLE_HTTP2": True}
        assert ask(profile(front.url(), **settings)) == PREFECT


# -- Gateways and redirects -------------------------------------------------------------------------------------------


def test_a_gateway_with_its_own_header_that_moves_paths(destination_server: Server) -> None:
    """Custom headers open a gateway, and its 307 to another path of the same server is followed, by writes too."""
    door = gateway(destination_server.port, header="X-Gateway", value="let me in", moved=("/old/api", "/api"))
    with Door(door) as front:
        headers = json.dumps({"X-Gateway": "let me in"})
        known = profile(front.url("/old/api"), PREFECT_CLIENT_CUSTOM_HEADERS=headers)

        async def steps() -> Json:
            async with PrefectApi(known) as api:
                await api.write("POST", "/variables/", {"name": "moved", "value": {"a": [1]}}, repeatable=True)
                return await api.read("/variables/count", {})

        assert asyncio.run(steps()) == 1
        assert ask(profile(destination_server.url), "/variables/name/moved")["value"] == {"a": [1]}
        with pytest.raises(AccessDenied):
            ask(profile(front.url("/old/api")))


def test_a_server_below_a_path_of_a_proxy(source_server: Server, small: Bundle) -> None:
    """A proxy that takes its own prefix off is no obstacle, and a URL without it is told as wrong."""
    with Door(under("/tools/prefect", source_server.port)) as front:
        assert bundle_of(profile(front.url("/tools/prefect/api"))).manifest.content_digest == (
            small.manifest.content_digest
        )
        with pytest.raises(RequestRejected) as caught:
            ask(profile(front.url("/api")))
    assert caught.value.status == 404


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_credentials_do_not_follow_a_redirect(code: int) -> None:
    """Whatever the redirect, nothing reaches another server, not even one on the same host."""
    seen: list[str] = []
    with Door(trap(seen)) as other, Door(redirect(other.url, code)) as front:
        with pytest.raises(RequestRejected, match="redirected") as caught:
            ask(profile(front.url(), PREFECT_API_AUTH_STRING=PASSWORD))
        assert "set PREFECT_API_URL to the final URL" in caught.value.hint
        assert other.url() not in caught.value.hint
    assert (seen, front.connections) == ([], 1)


# -- Proxies ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    """Makes settings those of the profile ``p``."""
    file = tmp_path / "profiles.toml"
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(file))
    monkeypatch.chdir(tmp_path)
    return lambda settings: write_profiles(file, p=settings)


Use = Callable[[dict[str, Any]], None]


def _digest(ended: Ended) -> str:
    return str(ended.document["bundle"]["content_digest"])


def test_a_proxy_of_the_environment(
    source_server: Server, small: Bundle, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """http_proxy is the way to a server that only the proxy can find, credentials in its URL included."""
    seen: list[str] = []
    url = f"http://prefect.internal:{source_server.port}/api"
    with Door(forward_proxy(source_server.port, seen, password="me:hunter2")) as proxy:
        monkeypatch.setenv("http_proxy", f"http://me:hunter2@127.0.0.1:{proxy.port}")
        use({"PREFECT_API_URL": url})
        passed = xfer("export", "--from", "p", "-o", "env.pxb", "--json")
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        refused = xfer("export", "--from", "p", "-o", "no.pxb")
    assert _digest(passed) == small.manifest.content_digest
    assert all(each.split()[1].startswith(url) for each in seen)
    assert "through the proxy 127.0.0.1" in passed.err
    assert "hunter2" not in passed.out + passed.err
    assert (refused.code, "http://USER:PASSWORD@HOST:PORT" in refused.err) == (5, True)


def test_a_tunnel_through_a_proxy(
    authority: Authority, source_server: Server, small: Bundle, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An https server is reached by a tunnel: the proxy sees its name, and no request."""
    seen: list[str] = []
    with (
        Door(to(source_server.port), tls=authority.shows("prefect.internal")) as front,
        Door(forward_proxy(front.port, seen)) as proxy,
    ):
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        use({"PREFECT_API_URL": "https://prefect.internal/api", "PREFECT_API_SSL_CERT_FILE": authority.file})
        ended = xfer("export", "--from", "p", "-o", "env.pxb", "--json")
    assert _digest(ended) == small.manifest.content_digest
    assert set(seen) == {"CONNECT prefect.internal:443"}


def test_no_proxy_and_this_machine_go_straight(
    source_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a host that no_proxy names nor this machine is looked for through the proxy."""
    seen: list[str] = []
    with Door(forward_proxy(source_server.port, seen)) as proxy:
        monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
        assert xfer("export", "--from", source_server.url, "-o", str(tmp_path / "env.pxb")).code == 0
        monkeypatch.setenv("no_proxy", "nowhere.invalid")
        assert xfer("export", "--from", "http://nowhere.invalid/api", "-o", str(tmp_path / "no.pxb")).code == 5
    assert (seen, proxy.connections) == ([], 0)


def test_unverified_tls_is_warned_of(authority: Authority, source_server: Server, use: Use) -> None:
    """PREFECT_API_TLS_INSECURE_SKIP_VERIFY works, and is said every time."""
    with Door(to(source_server.port), tls=authority.shows("elsewhere.test")) as front:
        use({"PREFECT_API_URL": front.url(), "PREFECT_API_TLS_INSECURE_SKIP_VERIFY": True})
        ended = xfer("export", "--from", "p", "-o", "env.pxb", "--quiet")
    expected = "xfer: warning: p: TLS certificate not verified (PREFECT_API_TLS_INSECURE_SKIP_VERIFY)\n"
    assert (ended.code, ended.err) == (0, expected)


# -- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_postgresql(source_server: Server, small: Bundle, tmp_path: Path) -> None:
    """An environment of a server on SQLite arrives whole on PostgreSQL, and leaves it whole."""
    with cluster() as database:
        settings = {**SETTINGS, "PREFECT_SERVER_DATABASE_CONNECTION_URL": database.url("postgresql+asyncpg")}
        with processes.start(tmp_path / "on-postgresql", settings=settings) as server:
            assert_whole(small, profile(server.url))
            assert compare(source_server.url, server.url) == []
