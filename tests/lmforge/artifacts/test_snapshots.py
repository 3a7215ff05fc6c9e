"""The last accepted snapshot survives, is replaced in one step, and never compares an artifact with itself."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from lmforge.artifacts.snapshots import Snapshots
from lmforge.errors import InputError, IntegrityError


@pytest.fixture
def snapshots(tmp_path):
    return Snapshots(tmp_path / "snapshots")


def test_first_run_has_nothing_to_compare_with(snapshots):
    assert snapshots.last("reviews", "clean") is None
    assert not snapshots.directory.exists()


def test_last_is_the_one_accepted_last_of_its_recipe_and_stage(snapshots):
    for key in ("a", "b"):
        snapshots.accept("reviews", "clean", {"key": key, "profile": {"n": key}})
    snapshots.accept("reviews", "collect", {"key": "c"})
    snapshots.accept("tickets", "clean", {"key": "d"})
    assert snapshots.last("reviews", "clean") == {"key": "b", "profile": {"n": "b"}}
    assert Snapshots(snapshots.directory).last("tickets", "clean") == {"key": "d"}


def test_an_artifact_is_compared_with_the_one_before_it(snapshots):
    snapshots.accept("r", "s", {"key": "a"})
    assert snapshots.last("r", "s", other_than="a") is None
    snapshots.accept("r", "s", {"key": "b"})
    assert snapshots.last("r", "s", other_than="b") == {"key": "a"}
    snapshots.accept("r", "s", {"key": "b", "again": True})
    assert snapshots.last("r", "s") == {"key": "b", "again": True}
    assert snapshots.last("r", "s", other_than="b") == {"key": "a"}


def test_few_snapshots_are_kept(snapshots):
    for number in range(10):
        snapshots.accept("r", "s", {"key": str(number)})
    files = [path for path in (snapshots.directory / "r").iterdir() if not path.name.endswith(".lock")]
    assert [path.name for path in files] == ["s.json"]
    assert [one["key"] for one in json.loads(files[0].read_text(encoding="utf-8"))] == ["8", "9"]


def test_a_write_that_was_cut_off_changes_nothing(snapshots):
    snapshots.accept("r", "s", {"key": "a"})
    (snapshots.directory / "r" / ".s.json.partial").write_text('[{"key', encoding="utf-8")
    assert snapshots.last("r", "s") == {"key": "a"}
    snapshots.accept("r", "s", {"key": "b"})
    assert snapshots.last("r", "s") == {"key": "b"}


@pytest.mark.parametrize("content", ["", "{", "{}", "[1]", '[{"profile": 1}]'])
def test_a_damaged_file_stops_and_says_what_to_do(snapshots, content):
    snapshots.accept("r", "s", {"key": "a"})
    (snapshots.directory / "r" / "s.json").write_text(content, encoding="utf-8")
    with pytest.raises(IntegrityError, match=r"r/s\.json is no list of snapshots; remove the file"):
        snapshots.last("r", "s")


def test_a_value_that_json_cannot_hold_leaves_the_old_snapshot(snapshots):
    snapshots.accept("r", "s", {"key": "a"})
    with pytest.raises(ValueError, match="JSON compliant"):
        snapshots.accept("r", "s", {"key": "b", "x": float("nan")})
    assert snapshots.last("r", "s") == {"key": "a"}


def test_two_runs_at_once_lose_nothing(snapshots):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: snapshots.accept(f"r{number % 2}", "s", {"key": str(number)}), range(20)))
    assert {snapshots.last(name, "s")["key"] for name in ("r0", "r1")} <= {str(number) for number in range(20)}


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(InputError, match="cannot write to"):
        Snapshots(tmp_path / "file").accept("r", "s", {"key": "a"})
