"""bundle.server.responses: what a response may be, and what it may cost."""

from __future__ import annotations

import gzip
import io
import zlib

import httpx
import pytest
import zstandard

from bundle.server.limits import ServerLimits
from bundle.server.target import Target
from support.fake_server import FakeServer, coded, get, ok


def test_large_responses_are_refused() -> None:
    """A response is cut off by its decoded size, so a compressed bomb gains nothing; a plain one of the size passes."""
    limits = ServerLimits(answer_bytes=1000)
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb") as bomb:
        bomb.write(b" " * 100_000)
    server = FakeServer(coded(buffer.getvalue(), "gzip"))
    assert "too large" in str(server.fail(get, limits=limits))
    assert len(server.requests) == 1
    assert FakeServer(ok("x" * 998)).run(get, limits=limits) == "x" * 998


@pytest.mark.parametrize("content", [b"[" + b"{}," * 600_000 + b"{}]", b"[" * 3_000_000, b"0," * 3_000_000])
def test_responses_of_very_many_values_are_refused(content: bytes) -> None:
    """What a response would take once it is decoded is told from its bytes, before that: a list of empty objects."""
    assert "too large" in str(FakeServer(httpx.Response(200, content=content)).fail(get))


def test_compressed_responses_are_read() -> None:
    """The compression that is asked for is understood."""
    assert FakeServer(coded(gzip.compress(b"[1]"), "gzip")).run(get) == [1]


@pytest.mark.parametrize(
    ("content", "coding"),
    [
        (zstandard.compress(b"[1]"), "zstd"),
        (zlib.compress(b"[1]"), "deflate"),
        (gzip.compress(gzip.compress(b"[1]", mtime=0), mtime=0), "gzip, gzip"),
    ],
)
def test_other_codings_are_refused(content: bytes, coding: str) -> None:
    """A coding that was not requested is not decoded: a small chunk of it may be gigabytes."""
    assert "the connection broke off" in str(FakeServer(coded(content, coding)).fail(get))


@pytest.mark.parametrize("content", [b"<html>", b"[1", b"\xff", b'"\\ud800"', b"[" * 100_000])
def test_responses_that_are_not_json_are_refused(content: bytes) -> None:
    """A page, or broken JSON, is an error with a hint at the URL."""
    server = FakeServer(
        httpx.Response(200, content=content), target=Target(name="dev", url="http://server.test:4200", csrf=False)
    )
    error = server.fail(get)
    assert "is not JSON" in str(error)
    assert "http://server.test:4200/api" in str(error.hint)


def test_null_and_nothing_are_responses() -> None:
    """JSON null and an empty body both read as None."""
    assert FakeServer(httpx.Response(200, content=b" null ")).run(get) is None
    assert FakeServer(httpx.Response(204)).run(get) is None
