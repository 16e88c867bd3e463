"""The archive on real parts: S3, restic, Prefect, and many writers at once.

``XFER_ARCHIVE_ROUNDS`` and ``XFER_RESTIC_POLICIES`` ask for more than the suite has time for.
"""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bundle.archive import integrity
from bundle.archive.directories import DirectoryStore
from bundle.archive.forget import forget
from bundle.archive.integrity import EVERY
from bundle.archive.objects import connect
from bundle.archive.periods import Duration
from bundle.archive.point import Point, new_id
from bundle.archive.probe import initialize
from bundle.archive.retention import Policy, Rule, Snapshot, Within, decide
from bundle.archive.snapshot import write
from bundle.archive.store import Exists, Store
from bundle.archive.timeline import look, timeline
from bundle.container.reader import read_bundle
from bundle.server.process import Server
from support import seaweedfs
from support.bundles import bundle_bytes, flow
from support.commands import xfer
from support.environment import Api, Size

ROUNDS = int(os.environ.get("XFER_ARCHIVE_ROUNDS", "10"))
POLICIES = int(os.environ.get("XFER_RESTIC_POLICIES", "12"))
WRITERS, FORGETTERS = 8, 2
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
RULES: tuple[Rule, ...] = ("last", "hourly", "daily", "weekly", "monthly", "yearly")
CONTENTS = [bundle_bytes(flow(f"flow-{number}")) for number in range(3)]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a bucket on a real S3 server."""
    if seaweedfs.find_command() is None:
        pytest.skip("LEFT OUT: there is no SeaweedFS for this platform, so nothing is tested with S3")
    with pytest.MonkeyPatch.context() as patch, seaweedfs.running(tmp_path_factory.mktemp("s3")) as endpoint:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }.items():
            patch.setenv(name, value)
        with urllib.request.urlopen(urllib.request.Request(f"{endpoint}/backups", method="PUT"), timeout=30):
            yield "s3://backups"


@pytest.fixture(params=["directory", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new store of each sort."""
    if request.param == "directory":
        return str(tmp_path / "store")
    bucket: str = request.getfixturevalue("s3")
    return f"{bucket}/{tmp_path.name}"


def store_at(url: str) -> Store:
    return connect(url) if "://" in url else DirectoryStore(Path(url))


def put(store: Store, content: bytes) -> None:
    point = Point(
        id=new_id(datetime.now(UTC), f"{random.getrandbits(48):012x}"),
        name="prod",
        created="",
        content_digest=read_bundle(io.BytesIO(content)).manifest.content_digest,
        sha256="",
        size=0,
        resources=1,
    )
    write(store, point, content, {})


def test_many_writers_and_two_forgets_lose_nothing(url: str) -> None:
    """Eight snapshots and two forgets at once, again and again: every point that stands has its bundle."""
    store = store_at(url)
    initialize(store, "0123456789ab")
    policy = Policy(counts={"last": 2})

    def work(number: int) -> None:
        if number < WRITERS:
            put(store_at(url), CONTENTS[number % len(CONTENTS)])
        else:
            later = datetime.now(UTC) + timedelta(minutes=1)
            forget(store_at(url), "prod", policy, now=later, zone=UTC, dry_run=False)

    for _ in range(ROUNDS):
        with ThreadPoolExecutor(WRITERS + FORGETTERS) as pool:
            list(pool.map(work, range(WRITERS + FORGETTERS)))
        found = integrity.check(store, "prod", EVERY)
        assert found.is_whole, found.faults
        assert found.points >= 2


def test_s3_refuses_a_second_creation(s3: str) -> None:
    """Of many racing writers one wins, and the content is the winner's."""
    store = connect(f"{s3}/race")
    barrier = threading.Barrier(WRITERS)
    won: list[int] = []

    def race(number: int) -> None:
        barrier.wait()
        try:
            store.create("x", str(number).encode())
        except Exists:
            return
        won.append(number)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(race, range(WRITERS)))
    assert [store.read("x", 1)] == [str(number).encode() for number in won]


Histories = tuple[Path, dict[str, list[Snapshot]]]


@pytest.fixture(scope="module")
def histories(tmp_path_factory: pytest.TempPathFactory) -> Histories:
    """A restic repository with snapshots of random times under several tags, and the same for us."""
    if shutil.which("restic") is None:
        pytest.skip("LEFT OUT: there is no restic, so retention is compared with nothing (apt install restic)")
    repository = tmp_path_factory.mktemp("restic")
    generator = random.Random(14)
    _restic(repository, "init")
    found: dict[str, list[Snapshot]] = {}
    for number, count in enumerate((1, 3, 8, 14)):
        for _ in range(count):
            time = NOW - timedelta(minutes=int(10 ** generator.uniform(0, 6)))
            when = f"{time:%Y-%m-%d %H:%M:%S}"
            _restic(repository, "backup", "--stdin", "--tag", f"h{number}", "--time", when, stdin=b"x")
            found.setdefault(f"h{number}", []).append(Snapshot(f"{time:%Y-%m-%dT%H:%M:%S}", time))
    return repository, found


def _restic(repository: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    environment = {**os.environ, "RESTIC_PASSWORD": "x", "TZ": "UTC", "RESTIC_CACHE_DIR": str(repository / "cache")}
    command = ["restic", "-r", str(repository / "r"), "--json", *arguments]
    return subprocess.run(command, env=environment, input=stdin, check=True, capture_output=True, timeout=60).stdout


def _policies(count: int) -> Iterator[tuple[Policy, list[str]]]:
    """Random policies, and the options that say the same to restic."""
    generator = random.Random(15)
    for _ in range(count):
        rules = generator.sample(RULES, generator.randint(0, 3))
        counts: dict[Rule, int] = {rule: generator.randint(1, 6) for rule in rules}
        within = []
        if generator.random() < 0.5 or not counts:
            years, months, days = (generator.choice([0, 0, 1, 2]) for _ in range(3))
            within.append(Within(Duration(years, months, days, generator.randint(1, 50)), generator.choice(RULES)))
        options = [f"--keep-{rule}={number}" for rule, number in counts.items()]
        options += [f"--keep-within{'' if each.rule == 'last' else f'-{each.rule}'}={each.duration}" for each in within]
        yield Policy(counts=counts, within=tuple(within)), options


def test_retention_is_restics(histories: Histories) -> None:
    """The same stay for the same policies, but for the oldest, which fills a count only in newer versions of restic.

    And but for the newest, which ours never lets go.
    """
    repository, known = histories
    for policy, options in _policies(POLICIES):
        for group in json.loads(_restic(repository, "forget", "--dry-run", "--group-by", "tags", *options)):
            expected = {each["time"][:19] for each in group["keep"] or []}
            decisions = decide(known[group["tags"][0]], policy, now=NOW, zone=UTC)
            ours = {each.id for each in decisions if set(each.reasons) - {"oldest", "newest-complete", "not-kept"}}
            assert ours - expected <= {decisions[-1].id}, (options, group["tags"])
            assert expected <= ours | {decisions[-1].id}, (options, group["tags"])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home and directory, for commands."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_an_environment_comes_back_as_of_each_day(
    server_factory: Callable[[Size | None], Server], s3: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Snapshots of a changing server: the log, the difference of two of them, and an import of one are right."""
    monkeypatch.setenv("XFER_STORE", f"{s3}/{home.name}")
    assert xfer("archive", "init").code == 0
    server, other = server_factory(None), server_factory(None)
    ids = []
    with Api(server.url) as api:
        id_ = api.create("/variables/", name="day", value=-1, tags=[])
        for day in range(4):
            api.patch(f"/variables/{id_}", value=day)
            ended = xfer("archive", "snapshot", "--from", server.url, "--name", "prod", "--json")
            assert ended.code == 0, ended.err
            ids.append(ended.document["snapshots"][0]["id"])
    log = xfer("archive", "log", "//prod", "variable:day", "--json").document["history"]
    changed = [one for step in log for each in step["resources"] for one in each["differences"]]
    assert [(each["destination"], each["bundle"]) for each in changed] == [(0, 1), (1, 2), (2, 3)]
    assert xfer("diff", f"//prod@{ids[1]}", f"//prod@{ids[2]}", "--json").document["summary"]["changed"] == 1
    assert xfer("import", f"//prod@{ids[1]}", "--to", other.url).code == 0
    with Api(other.url) as api:
        assert api.send("GET", "/variables/name/day")["value"] == 1
    assert xfer("archive", "check", "--read-data").code == 0


def test_a_drill_restores_and_says_so(source_server: Server, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The small environment comes back whole in a throwaway server, and the list says when."""
    monkeypatch.setenv("XFER_STORE", str(home / "store"))
    assert xfer("archive", "init").code == 0
    assert xfer("archive", "snapshot", "--from", source_server.url, "--name", "prod").code == 0
    ended = xfer("archive", "drill", "//prod@latest", "--json")
    assert (ended.code, ended.document["resources"]) == (0, [])
    assert xfer("archive", "list", "--json").document["snapshots"][0]["drilled"] is not None


def test_a_killed_snapshot_leaves_a_whole_store(source_server: Server, home: Path) -> None:
    """A real process, killed at several moments: what stands is whole, and the next one works."""
    store = DirectoryStore(home / "store")
    initialize(store, "0123456789ab")
    environment = {**os.environ, "XFER_STORE": store.url}
    command = [sys.executable, "-m", "bundle", "archive", "snapshot", "--from", source_server.url, "--name", "prod"]
    for tenths in (5, 8, 11, 14):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            process.wait(tenths / 10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert integrity.check(store, "prod", EVERY).is_whole
    assert subprocess.run(command, env=environment, check=False, capture_output=True).returncode == 0
    assert timeline(store, look(store, "prod"))
