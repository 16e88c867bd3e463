"""Hostile and broken bundles: each ends as ``expected.json`` says, at a low cost, without a trace."""

from __future__ import annotations

import io
import json
import re
import runpy
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard
from click.testing import CliRunner

from bundle import cli
from bundle.cli import connection
from bundle.container.reader import open_bundle
from bundle.container.writer import write_bundle, write_file
from bundle.errors import BundleError, BundleRejected
from bundle.model import Count, Finding, Header, Placed
from bundle.record.canonical import make_record

CORPUS = Path(__file__).parents[2] / "fixtures" / "hostile"
EXPECTED = json.loads((CORPUS / "expected.json").read_text())
REFUSED = [name for name, end in EXPECTED.items() if end["exit"] == 4]
WHOLE = [name for name, end in EXPECTED.items() if end["exit"] == 0]
BOMBS = [name for name in EXPECTED if name.startswith("bomb-")]

EVERY = pytest.mark.parametrize("name", EXPECTED)
# Everything that moves a cursor, starts a sequence or turns the direction of reading; only a line break may pass.
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
MIB = 1 << 20
# What runs in a process of its own: a command, and then how much memory it held at most and how long it worked.
MEASURED = """
import resource, sys, time
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
from bundle import cli
code = cli.run(sys.argv[1:])
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
sys.stderr.write(f"\\n{code} {peak} {time.process_time()}")
"""

make: Any = types.SimpleNamespace(**runpy.run_path(str(CORPUS / "make.py")))


@pytest.fixture(autouse=True)
def traces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory that is home, working directory and the place for temporary files."""
    directory = tmp_path / "traces"
    directory.mkdir()
    monkeypatch.chdir(directory)
    for name in ("HOME", "TMPDIR"):
        monkeypatch.setenv(name, str(directory))
    for name in ("PREFECT_API_URL", "PREFECT_API_KEY", "PREFECT_LOGGING_LEVEL", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tempfile, "tempdir", None)
    return directory


def run(*arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``xfer`` in this process."""
    with CliRunner().isolation() as (out, err, _):
        code = cli.run(arguments)
        return code, out.getvalue().decode(), err.getvalue().decode()


def file(name: str) -> str:
    return str(CORPUS / f"{name}.pxb")


def test_the_corpus_is_what_the_script_makes(tmp_path: Path) -> None:
    """The committed bundles and expectations are those that the script makes, with every version of zstd."""
    (tmp_path / "made").mkdir()
    count = make.write(tmp_path / "made")
    made = {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()}
    kept = {path.name: path.read_bytes() for path in CORPUS.iterdir() if path.suffix in {".pxb", ".json"}}

    assert sorted(made) == sorted(kept)
    assert [name for name in kept if made[name] != kept[name]] == []
    assert count == len(EXPECTED) >= 60
    assert sum(map(len, kept.values())) < MIB


@EVERY
def test_verify_ends_as_expected(name: str, traces: Path) -> None:
    """``verify`` gives the expected exit code and reason, prints nothing raw, and leaves nothing behind."""
    code, out, err = run("verify", file(name))

    assert code == EXPECTED[name]["exit"], err
    assert EXPECTED[name]["says"] in (err if code else out)
    assert "Traceback" not in err
    assert UNSAFE.findall(out + err) == []
    assert list(traces.iterdir()) == []


@EVERY
def test_inspect_ends_as_expected(name: str, traces: Path) -> None:
    """``inspect --json`` gives one document with the expected exit code and reason, and leaves nothing behind."""
    code, out, err = run("inspect", file(name), "--json")
    document = json.loads(out)

    assert (code, document["exit_code"]) == (EXPECTED[name]["exit"], EXPECTED[name]["exit"])
    assert (document["error"] is None) == (code == 0)
    assert code == 0 or EXPECTED[name]["says"] in document["error"]["message"]
    assert UNSAFE.findall(out + err) == []
    assert list(traces.iterdir()) == []


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("arguments", [("inspect",), ("inspect", "-v"), ("verify", "-v"), ("secrets", "template")])
def test_nasty_texts_are_shown_harmless(name: str, arguments: tuple[str, ...]) -> None:
    """Whatever the names in a whole bundle are, no raw control character is printed, in full lists neither."""
    code, out, err = run(*arguments, file(name))

    assert code == 0
    assert UNSAFE.findall(out + err) == []


@pytest.mark.parametrize("name", REFUSED)
def test_import_sends_nothing(name: str, traces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``import`` of a bundle that is refused builds no client."""
    clients: list[object] = []
    monkeypatch.setattr(connection, "connect", clients.append)
    (tmp_path / "profiles.toml").write_text('[profiles.a]\nPREFECT_API_URL = "http://a.test/api"\n')
    monkeypatch.setenv("PREFECT_PROFILES_PATH", str(tmp_path / "profiles.toml"))
    code, _, err = run("import", file(name), "--to", "a")

    assert (code, clients) == (4, [])
    assert EXPECTED[name]["says"] in err
    assert list(traces.iterdir()) == []


# What it costs


def compressed(plains: list[bytes]) -> bytes:
    """A bundle with frames made by zstd, for what would be large otherwise."""
    compressor = zstandard.ZstdCompressor(write_checksum=True)
    return bytes(make.sealed(map(compressor.compress, plains)))


def long_pointer() -> bytes:
    finding = {"code": "x", "key": "flow:a", "pointer": "/" + "a" * (16 * MIB)}
    return compressed(make.parts(change=lambda manifest: manifest["findings"].append(finding)))


def many_findings() -> bytes:
    return compressed(
        make.parts(change=lambda manifest: manifest.update(findings=[{"code": "x", "key": ""}] * 300_000))
    )


def many_objects() -> bytes:
    objects = [{f"k{number}": 1} for number in range(300_000)]
    return compressed(make.parts([make.row(0, "flow:a", {"x": objects})]))


def references_ahead() -> bytes:
    """References to records that never come, each by a key that takes much to quote."""
    long = "\U0001f600" * 190
    rows = [
        make.row(0, f"{kind}:{long}", {"x": ""}, [make.reference("/x", f"{kind}:{long}{n:05}") for n in range(16_000)])
        for kind in ("block", "deployment", "flow", "variable")
    ]
    return compressed(make.parts(rows))


def empty_blocks() -> bytes:
    return bytes(make.sealed([make.frame_header(60 * MIB) + make.block(b"") * (4 * MIB)]))


def zero_bytes_as_manifest() -> bytes:
    return compressed([make.member("manifest.json", bytes(60 * MIB))])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell what a process held at most")
@pytest.mark.parametrize(
    "bundle",
    [*BOMBS, long_pointer, many_findings, many_objects, references_ahead, empty_blocks, zero_bytes_as_manifest],
    ids=lambda bundle: getattr(bundle, "__name__", bundle),
)
def test_bombs_cost_little(bundle: str | Callable[[], bytes], tmp_path: Path) -> None:
    """Reading a bundle that is made to be costly takes at most 256 MiB and 5 seconds, and ends as any other."""
    path = tmp_path / "bomb.pxb"
    path.write_bytes(bundle() if callable(bundle) else (CORPUS / f"{bundle}.pxb").read_bytes())
    command = [sys.executable, "-c", MEASURED, "verify", str(path)]
    done = subprocess.run(command, capture_output=True, check=True, text=True, timeout=60)
    code, peak_kib, seconds = map(float, done.stderr.rpartition("\n")[2].split())

    assert code in {0, 4}, done.stderr
    assert peak_kib < 256 * 1024
    assert seconds < 5


# A bundle with nothing wrong but what it takes to hold all of it.
HELD = MEASURED.replace(
    "from bundle import cli\ncode = cli.run(sys.argv[1:])",
    """
from pathlib import Path
from bundle import read_bundle
from bundle.errors import Corrupt
try:
    read_bundle(Path(sys.argv[1]))
    code = 0
except Corrupt as error:
    code = int("more memory than" in error.message)
""",
)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to tell what a process held at most")
def test_a_bomb_that_is_whole_is_not_held_in_memory(tmp_path: Path) -> None:
    """A bundle is refused before its records take much more memory than its size can justify."""
    path = tmp_path / "bomb.pxb"
    records = (make_record(f"flow:{number:02}", {"x": [{"a": number}] * 150_000}, (), ()) for number in range(12))
    placed = (Placed(0, record) for record in records)
    write_file(Header(census={"flow": Count(12, 12, 0)}), placed, path, force=False)

    done = subprocess.run([sys.executable, "-c", HELD, str(path)], capture_output=True, check=True, timeout=60)
    is_refused, peak_kib, _ = map(float, done.stderr.decode().rpartition("\n")[2].split())

    assert path.stat().st_size < MIB // 4
    assert is_refused
    assert peak_kib < 384 * 1024


# What no file of the corpus can show


@pytest.mark.parametrize("version", ["1.0", "1.7"])
def test_depth_near_the_recursion_limit_is_refused(version: str) -> None:
    """A record as deep as Python itself bears is refused like any other that is too deep, at every depth."""
    for depth in range(850, sys.getrecursionlimit() + 5):
        nest = b"[" * depth + b"]" * depth
        for record in (make.spelled(b'{"x":' + nest + b"}"), make.spelled(more=b',"zz":' + nest)):
            data = make.packed(make.parts([record], lambda manifest: manifest.update(format=version)))
            with pytest.raises(BundleRejected, match=r"deep|canonical"):
                list(open_bundle(io.BytesIO(data)).records())


def test_writer_refuses_a_manifest_that_no_reader_takes() -> None:
    """A manifest of more JSON values than a reader allows is not written."""
    findings = (Finding("x", "flow:a"),) * 500_001
    with pytest.raises(BundleError, match="too large"):
        write_bundle(Header(census={"flow": Count(0, 0, 0)}, findings=findings), (), io.BytesIO())
