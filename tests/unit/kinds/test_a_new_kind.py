"""A kind of resource is one file: with it beside the others, everything that xfer does works for the new kind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import bundle

TESTS = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What came of each step, by an xfer that has one module more."""
    place = tmp_path_factory.mktemp("with-parcels")
    shutil.copytree(Path(str(bundle.__file__)).parent, place / "bundle", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(TESTS / "support" / "made_up_kind.py", place / "bundle" / "kinds" / "parcels.py")
    environment = os.environ | {"PYTHONPATH": f"{place}{os.pathsep}{TESTS}"}
    program = [sys.executable, "-m", "support.parcel_service", str(place)]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_is_exported_after_what_it_refers_to(steps: Any) -> None:
    """The parcel is in the bundle, in the wave after its flow."""
    assert steps["exported"] == [["flow:post", 0], ["parcel:first", 1]]


def test_it_is_imported_with_the_ids_of_the_destination(steps: Any) -> None:
    """It is created, and refers to the destination's flow in a field and inside a text."""
    assert steps["imported"] == [["flow:post", "created"], ["parcel:first", "created"]]
    assert (steps["flow is theirs"], steps["text is theirs"]) == (True, True)


def test_a_second_import_sends_no_write(steps: Any) -> None:
    """What is there already is left alone."""
    assert (steps["again"], steps["writes again"]) == (
        [["flow:post", "exists-same"], ["parcel:first", "exists-same"]],
        0,
    )


def test_an_edit_is_found_and_updated(steps: Any) -> None:
    """Verification names the field that was edited, and an update gives it back."""
    assert steps["drift"] == [["flow:post", "exists-same"], ["parcel:first", "exists-differs", "/weight"]]
    assert steps["updated"] == [["flow:post", "exists-same"], ["parcel:first", "updated"]]
    assert (steps["weight"], steps["digest"]) == (3, True)


def test_it_is_rolled_back(steps: Any) -> None:
    """What the import created is deleted again."""
    assert steps["rolled back"] == [["flow:post", "deleted"], ["parcel:first", "deleted"]]
    assert steps["left"] == 0


def test_an_older_server_without_it_is_no_error(steps: Any) -> None:
    """Where there is no such route, there are no parcels."""
    assert steps["older"] == 0
