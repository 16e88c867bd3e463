"""proxy: each fault does what it says, every request is recorded, and a seed replays its faults."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http.server
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from support.proxy import HARMLESS, KINDS, Fault, Faults, Kind, Proxy, Recorded, Script, is_write

BODY = b'{"answer":"' + b"x" * 400 + b'"}'


class Upstream(http.server.ThreadingHTTPServer):
    """A server that answers everything with ``BODY`` and keeps what it got."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.got: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/api"


class Answering(http.server.BaseHTTPRequestHandler):
    """Keeps a request; ``/chunked`` is answered in chunks, ``/empty`` with 204, ``/broken`` by hanging up."""

    server: Upstream
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.got.append((self.command, self.path, body))
        if self.path.endswith("/broken"):
            self.close_connection = True
            return
        is_empty, is_chunked = self.path.endswith("/empty"), self.path.endswith("/chunked")
        self.send_response(204 if is_empty else 200)
        if is_chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif not is_empty:
            self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        if is_chunked:
            self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY))
        elif not is_empty:
            self.wfile.write(BODY)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = answer  # noqa: N815 - names of the base class

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """A server to stand behind the proxy."""
    server = Upstream()
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@contextlib.contextmanager
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=proxy.url, timeout=5, trust_env=False) as made:
        yield made


def test_forwards_untouched(upstream: Upstream) -> None:
    """Without faults a request and its answer pass as they are, on one connection."""
    with Proxy(upstream.url) as proxy, client(proxy) as http:
        first = http.post("/flows/?a=%2F", content=b"body")
        second = http.get("/chunked")
        third = http.request("DELETE", "/empty")

    assert [each.content for each in (first, second, third)] == [BODY, BODY, b""]
    assert third.status_code == 204
    assert upstream.got == [
        ("POST", "/api/flows/?a=%2F", b"body"),
        ("GET", "/api/chunked", b""),
        ("DELETE", "/api/empty", b""),
    ]


def test_records_requests(upstream: Upstream) -> None:
    """Every request is recorded before its answer arrives; writes are those that change something."""
    with Proxy(upstream.url) as proxy, client(proxy) as http:
        http.post("/flows/filter", json={})
        http.post("/flows/", json={"name": "a"})
        seen = proxy.requests
        writes = proxy.writes
        proxy.reset()
        after_reset = proxy.requests

    assert seen == [
        Recorded(0, "POST", "/api/flows/filter", b"{}", 200, 200, seen[0].answer_bytes),
        Recorded(1, "POST", "/api/flows/", b'{"name":"a"}', 200, 200, seen[1].answer_bytes),
    ]
    assert seen[0].answer_bytes > len(BODY)
    assert writes == [seen[1]]
    assert after_reset == []


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/api/flows/1", False),
        ("POST", "/api/flows/", True),
        ("POST", "/api/flows/filter", False),
        ("POST", "/api/flows/paginate?x=1", False),
        ("POST", "/api/flows/count", False),
        ("POST", "/api/ui/count-things", False),
        ("POST", "/api/work_pools/filter/queues", True),
        ("PATCH", "/api/flows/filter", True),
        ("DELETE", "/api/flows/1", True),
    ],
)
def test_tells_writes_from_reads(method: str, path: str, *, expected: bool) -> None:
    """All but GET and the POSTs that only list or count are writes."""
    assert is_write(method, path) == expected


def test_many_requests_at_once(upstream: Upstream) -> None:
    """Requests in flight together are all answered and all recorded."""

    async def ask(url: str) -> list[int]:
        async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
            answers = await asyncio.gather(*(http.post(f"/flows/{n}", json={"n": n}) for n in range(40)))
        return [each.status_code for each in answers]

    with Proxy(upstream.url) as proxy:
        statuses = asyncio.run(ask(proxy.url))

    assert statuses == [200] * 40
    assert sorted(each.number for each in proxy.requests) == list(range(40))
    assert len(upstream.got) == 40


def meet(upstream: Upstream, fault: Fault) -> tuple[httpx.Response | None, Recorded]:
    """Send one write into a fault: the answer, if any, and its record."""
    with Proxy(upstream.url, faults=Script({0: fault})) as proxy, client(proxy) as http:
        try:
            answer: httpx.Response | None = http.post("/flows/", json={"name": "a"})
        except httpx.TransportError:
            answer = None
        proxy.settle()
        after = http.post("/flows/", json={"name": "b"})
        assert after.status_code == 200, "a fault harms only its own request"
        return answer, proxy.requests[0]


@pytest.mark.parametrize(
    ("kind", "is_committed", "status"),
    [
        ("reset-before", False, None),
        ("answer-lost", True, None),
        ("answer-cut", True, None),
        ("delay", True, 200),
        ("too-many", False, 429),
        ("busy", False, 503),
        ("error-after", True, 502),
        ("late-commit", True, None),
        ("pause", True, 200),
    ],
)
def test_fault(kind: Kind, status: int | None, upstream: Upstream, *, is_committed: bool) -> None:
    """Each fault commits or not, and answers or not, as it says."""
    answer, record = meet(upstream, Fault(kind, seconds=0.02))

    assert (answer.status_code if answer else None) == status
    assert [b'"a"' in body for _, _, body in upstream.got] == ([True, False] if is_committed else [False])
    assert record.served == (200 if is_committed else 0)
    assert record.fault == Fault(kind, seconds=0.02)


def test_every_kind_is_tested() -> None:
    """The table above leaves no kind of fault out."""
    marks = getattr(test_fault, "pytestmark", [])

    assert [case[0] for case in marks[0].args[1]] == list(KINDS)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999, 1.0])
def test_cut_answer_misses_its_end(share: float, upstream: Upstream) -> None:
    """However much of the body passes, the client can tell that some is missing."""
    answer, record = meet(upstream, Fault("answer-cut", share=share))

    assert answer is None
    assert record.status == 200


def test_cut_of_an_empty_answer(upstream: Upstream) -> None:
    """An answer without a body is cut inside its head."""
    faults = Script({0: "answer-cut"})
    with Proxy(upstream.url, faults=faults) as proxy, client(proxy) as http, pytest.raises(httpx.RemoteProtocolError):
        http.patch("/empty", json={})

    assert proxy.requests[0].served == 204


@pytest.mark.parametrize("retry_after", ["", "1", "0.2"])
def test_too_many(retry_after: str, upstream: Upstream) -> None:
    """A 429 says in how many seconds to come back, or nothing."""
    answer, _ = meet(upstream, Fault("too-many", retry_after=retry_after))

    assert answer is not None
    assert answer.headers.get("Retry-After", "") == retry_after


def test_too_many_until_a_date(upstream: Upstream) -> None:
    """A 429 can name a date, two seconds after its own."""
    answer, _ = meet(upstream, Fault("too-many", retry_after="date"))
    assert answer is not None
    now, then = (email.utils.parsedate_to_datetime(answer.headers[name]) for name in ("Date", "Retry-After"))

    assert (then - now).total_seconds() in {2, 3}


@pytest.mark.parametrize("status", [500, 502, 503])
def test_error_after_is_not_in_prefects_words(status: int, upstream: Upstream) -> None:
    """An error in place of the answer does not read like Prefect's own 503, which follows a rollback."""
    answer, _ = meet(upstream, Fault("error-after", status=status))

    assert answer is not None
    assert answer.status_code == status
    assert "Service Unavailable" not in answer.text


def test_late_commit_comes_after_the_reset(upstream: Upstream) -> None:
    """A client that was cut off can look, find nothing, and find it later."""
    faults = Script({0: Fault("late-commit", seconds=0.3)})
    with Proxy(upstream.url, faults=faults) as proxy, client(proxy) as http:
        with pytest.raises(httpx.TransportError):
            http.post("/flows/", json={"name": "a"})
        before = len(upstream.got)
        proxy.settle()
        after = len(upstream.got)

    assert (before, after) == (0, 1)


def test_late_commit_arrives_even_if_the_proxy_ends(upstream: Upstream) -> None:
    """Leaving the context waits for late commits: nothing happens to a server behind a test's back."""
    with (
        Proxy(upstream.url, faults=Script({0: Fault("late-commit", seconds=0.1)})) as proxy,
        client(proxy) as http,
        pytest.raises(httpx.TransportError),
    ):
        http.post("/flows/")

    assert len(upstream.got) == 1


def test_pause_holds_everybody(upstream: Upstream) -> None:
    """During a pause other requests wait too."""
    faults = Script({0: Fault("pause", seconds=0.3)})
    with Proxy(upstream.url, faults=faults) as proxy, client(proxy) as first, client(proxy) as second:
        begin = time.monotonic()
        thread = threading.Thread(target=lambda: first.post("/flows/"))
        thread.start()
        while not proxy.requests:
            time.sleep(0.001)
        second.get("/flows/1")
        waited = time.monotonic() - begin
        thread.join()

    assert waited >= 0.29


def test_server_that_hangs_up(upstream: Upstream) -> None:
    """A server that ends a connection without an answer looks the same through the proxy."""
    with Proxy(upstream.url) as proxy, client(proxy) as http, pytest.raises(httpx.TransportError):
        http.get("/broken")

    assert proxy.requests[0].served == 0


def test_server_that_is_not_there() -> None:
    """Without a server the proxy breaks connections, and still ends well."""
    with Proxy("http://127.0.0.1:1/api") as proxy, client(proxy) as http, pytest.raises(httpx.TransportError):
        http.get("/flows/1")

    assert proxy.requests[0].status == 0


def test_client_that_goes_away(upstream: Upstream) -> None:
    """A client that gives up leaves a record, and nothing open."""
    faults = Script({0: Fault("delay", seconds=0.2)})
    with Proxy(upstream.url, faults=faults) as proxy, client(proxy) as http, pytest.raises(httpx.ReadTimeout):
        http.post("/flows/", timeout=0.05)

    assert [each.method for each in proxy.requests] == ["POST"]


def test_on_request_comes_first(upstream: Upstream) -> None:
    """A test is told of each request before the server has it."""
    before: list[tuple[str, int]] = []

    def note(request: Recorded) -> None:
        before.append((request.path, len(upstream.got)))

    with Proxy(upstream.url, on_request=note) as proxy, client(proxy) as http:
        http.get("/a")
        http.post("/b")

    assert before == [("/api/a", 0), ("/api/b", 1)]


# -- Which request meets which fault ----------------------------------------------------------------------------------


def asked(method: str = "POST", path: str = "/api/flows/") -> Recorded:
    return Recorded(0, method, path)


def faults_of(chooser: Faults, requests: list[Recorded]) -> list[Fault | None]:
    return [chooser.choose(each) for each in requests]


MIXED = [asked(), asked(path="/api/variables/"), asked("GET", "/api/x"), asked(path="/api/flows/filter")] * 50


def test_seed_replays_the_same_faults() -> None:
    """One seed gives the same faults again, another seed others."""
    first, again, other = Faults(1), Faults(1), Faults(2)
    drawn = faults_of(first, MIXED)
    first.reset()

    assert drawn == faults_of(again, MIXED) == faults_of(first, MIXED)
    assert drawn != faults_of(other, MIXED)


def test_seed_does_not_depend_on_the_order_of_routes() -> None:
    """Requests that overtake each other, and ids that differ, meet the faults of their own route."""
    one, two = Faults(3), Faults(3)
    flows = [asked("PATCH", "/api/flows/11111111-2222-4333-8444-555555555555")] * 20
    others = [asked("PATCH", "/api/flows/99999999-2222-4333-8444-555555555555")] * 20
    limits = [asked(path="/api/v2/concurrency_limits/")] * 20

    assert faults_of(one, flows + limits) == faults_of(two, limits + others)[20:] + faults_of(Faults(3), limits)


def test_seed_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """What is needed to repeat a run is printed."""
    made = Faults(4, write_rate=0.5, kinds=HARMLESS)

    assert capsys.readouterr().err.strip() == repr(made)
    assert eval(repr(made), {"Faults": Faults}).kinds == HARMLESS


@pytest.mark.parametrize("rate", [0.0, 0.25, 1.0])
def test_rates(rate: float) -> None:
    """As many writes meet a fault as the rate says, of all kinds; reads have their own rate."""
    chooser = Faults(5, write_rate=rate, read_rate=0.0)
    drawn = faults_of(chooser, [asked() for _ in range(2000)])
    hit = [each for each in drawn if each]

    assert abs(len(hit) / 2000 - rate) < 0.05
    assert {each.kind for each in hit} == (set(KINDS) if rate else set())
    assert all(0.3 <= each.seconds <= 1.0 for each in hit)
    assert not any(faults_of(chooser, [asked("GET", "/api/x")] * 500))


@pytest.mark.parametrize(("counts", "expected"), [("writes", [None, "busy"]), ("requests", ["busy", None])])
def test_script_counts(counts: str, expected: list[str | None]) -> None:
    """A script names requests by their number, over all of them or over the writes."""
    make: dict[str, Callable[[], Script]] = {
        "writes": lambda: Script({0: "busy"}),
        "requests": lambda: Script({0: "busy"}, counts="requests"),
    }
    script = make[counts]()
    drawn = [script.choose(each) for each in (asked("GET", "/api/x"), asked())]

    assert [each.kind if each else None for each in drawn] == expected


def test_reset_begins_a_script_again(upstream: Upstream) -> None:
    """After a reset the first write is write 0 again."""
    with Proxy(upstream.url, faults=Script({0: "busy"})) as proxy, client(proxy) as http:
        first = [http.post("/flows/").status_code for _ in range(2)]
        proxy.reset()
        second = [http.post("/flows/").status_code for _ in range(2)]

    assert first == second == [503, 200]
