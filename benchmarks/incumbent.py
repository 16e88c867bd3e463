"""``prefect transfer`` of the same Prefect, as whole processes: time, and what has arrived."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import httpx

from benchmarks.measure import Row, median, row, seconds, tell
from benchmarks.places import Place, Places

_ROUTES = (
    "flows", "deployments", "work_pools", "work_queues", "block_types", "block_documents", "variables",
    "v2/concurrency_limits", "concurrency_limits", "automations", "saved_searches",
)  # fmt: skip
_FIRST_BAR, _SECOND_BAR = 8.0, 30.0
_Account = dict[str, int]


def measure(places: Places, directory: Path, *, variables: int, pools: int, repetitions: int) -> list[Row]:
    """First and second run on variables and process pools alone, which is what ``prefect transfer`` can move."""
    source = places.sqlite("movable")
    _fill(source.empty(), variables, pools)
    destination = places.sqlite("destination")
    times: dict[str, list[float]] = {}
    for _ in range(repetitions):
        for tool, command in _commands(directory, source, destination).items():
            destination.empty()
            for which in ("first", "second"):
                times.setdefault(f"{tool} {which}", []).append(seconds(lambda command=command: _run(command)))  # type: ignore[misc]
    tell("against prefect transfer: " + ", ".join(f"{name} {median(each):.2f} s" for name, each in times.items()))
    bars = {"first": _FIRST_BAR, "second": _SECOND_BAR}
    return [
        _compared(f"{variables + pools} movable objects, {which} run", which, times, bar) for which, bar in bars.items()
    ]


def _compared(what: str, which: str, times: dict[str, list[float]], bar: float) -> Row:
    theirs, ours = times[f"prefect {which}"], times[f"xfer {which}"]
    ratios = [one / other for one, other in zip(theirs, ours, strict=True)]
    note = f"{median(theirs):.2f} s : {median(ours):.2f} s, whole processes"
    samples = tuple(round(each, 2) for each in ratios)
    return row(
        "prefect transfer", f"{what}: its time / xfer's", median(ratios), "x", way="at least", bar=bar, samples=samples,
        note=note,
    )  # fmt: skip


def measure_arrivals(places: Places, source: Place, directory: Path, *, size: str) -> list[Row]:
    """What of a whole environment has arrived after each of the two."""
    destination = places.sqlite("destination")
    new = _account(destination.empty())
    sent = _beyond(_account(source.url), new)
    rows = []
    for tool, command in _commands(directory, source, destination).items():
        destination.empty()
        codes: list[int] = []
        took = seconds(lambda command=command, codes=codes: codes.append(_exit_code(command)))  # type: ignore[misc]
        arrived = _beyond(_account(destination.url), new)
        lost = {name: sent[name] - arrived[name] for name in sent if arrived[name] != sent[name]}
        note = f"exit code {codes[0]} after {took:.1f} s; missing: " + (
            ", ".join(f"{name} {each}" for name, each in lost.items()) or "nothing"
        )
        what = f"{size} environment of {sum(sent.values())} objects: arrived with {tool} transfer"
        rows.append(row("prefect transfer", what, sum(arrived.values()), "objects", note=note))
    return rows


def _fill(url: str, variables: int, pools: int) -> None:
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        for number in range(pools):
            client.post("/work_pools/", json={"name": f"pool-{number:02}", "type": "process"}).raise_for_status()
        for number in range(variables):
            body = {"name": f"v_{number:03}", "value": {"n": number}, "tags": []}
            client.post("/variables/", json=body).raise_for_status()


def _account(url: str) -> _Account:
    """The number of objects on every route."""
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        return {route: _rows(client, route) for route in _ROUTES}


def _rows(client: httpx.Client, route: str) -> int:
    rows = 0
    extra = {"block_documents": {"is_anonymous": None}} if route == "block_documents" else {}
    while page := client.post(f"/{route}/filter", json={**extra, "offset": rows}).raise_for_status().json():
        rows += len(page)
    return rows


def _beyond(account: _Account, new: _Account) -> _Account:
    return {route: count - new[route] for route, count in account.items()}


def _commands(directory: Path, source: Place, destination: Place) -> dict[str, list[str]]:
    home = directory / "home"
    home.mkdir(exist_ok=True)
    urls = {"a": source.url, "b": destination.url}
    profiles = "".join(f'[profiles.{name}]\nPREFECT_API_URL = "{url}"\n' for name, url in urls.items())
    (home / "profiles.toml").write_text(f'active = "a"\n{profiles}', encoding="utf-8")
    beside = Path(sys.executable).parent
    ends = ["transfer", "--from", "a", "--to", "b"]
    set_home = ["env", f"PREFECT_HOME={home}", f"PREFECT_PROFILES_PATH={home / 'profiles.toml'}"]
    return {name: [*set_home, str(beside / name), *ends] for name in ("xfer", "prefect")}


def _run(command: list[str]) -> None:
    code = _exit_code(command)
    if code:
        raise RuntimeError(f"{' '.join(command)}: exit code {code}")


def _exit_code(command: list[str]) -> int:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    quiet = subprocess.DEVNULL
    return subprocess.run(command, env=environment, stdin=quiet, stdout=quiet, stderr=quiet, check=False).returncode
