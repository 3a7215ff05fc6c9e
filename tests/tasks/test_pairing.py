"""Versions are compared as the runs behind them, and a gain says where it is a loss."""

from __future__ import annotations

import pytest

from lmforge.errors import InputError
from lmforge.reporting.comparison import render_comparison
from tasks import tracking
from tasks.comparing import compare_runs


def test_versions_are_compared_as_the_runs_that_registered_them(history, runs):
    document = compare_runs(history.home, ["demo-section/1", "demo-section@champion"])
    assert [run["version"] for run in document["runs"]] == ["demo-section/1", "demo-section/2"]
    assert [run["run_id"] for run in document["runs"]] == [runs["worse"], runs["better"]]
    assert document["gains"] == compare_runs(history.home, [runs["worse"], runs["better"]])["gains"]
    assert document["differences"]["task section"]["aliases"] == [None, "champion"]
    text = render_comparison(document)
    assert text.startswith("version                      demo-section/1           demo-section/2\nrun ")
    assert "task section: demo-section/2 minus demo-section/1, on the same 200 test examples" in text
    assert max(map(len, text.split("The same in MLflow")[0].splitlines())) <= 80


def test_a_version_and_its_own_run_do_not_differ(history, runs):
    assert compare_runs(history.home, ["demo-section", runs["better"]])["differs"] is False


def test_a_version_without_its_run_says_what_is_still_known(history, runs):
    tracker = tracking.client(history.home)
    tracker.create_registered_model("lost")
    tracker.create_model_version("lost", source=str(history.home.store), tags={"lmforge.pipeline_run": "f" * 32})
    with pytest.raises(InputError, match=r"lost/1: its run f+ is not in MLflow.*lmforge lineage lost/1"):
        compare_runs(history.home, ["latest", "lost/1"])
    tracker.delete_registered_model("lost")


def test_where_a_gain_is_a_loss_is_named(history, runs):
    rows = compare_runs(history.home, [runs["better"], runs["worse"]])["gains"]["section"]["slices"]
    assert [row["slice"] for row in rows] == ["class=x", "class=y", "length=0-16"]
    assert all(row["worse"] and row["judged"] and row["change"] == pytest.approx(-0.2) for row in rows)
    rows = compare_runs(history.home, [runs["worse"], runs["better"]])["gains"]["section"]["slices"]
    assert not any(row["worse"] for row in rows)


def test_libraries_that_differ_are_named_and_runs_without_a_record_of_them_are_not(history, runs):
    tracker, names = tracking.client(history.home), [runs["worse"], runs["again"]]
    assert "environment" not in compare_runs(history.home, names)["differences"]
    kept = tracking.logged(history.home, names[1], tracking.ENVIRONMENT)
    tracker.log_dict(names[1], kept | {"libraries": kept["libraries"] | {"torch": "0.1"}}, tracking.ENVIRONMENT)
    found = compare_runs(history.home, names)["differences"]["environment"]
    assert list(found) == ["libraries.torch"]
    tracker.log_dict(names[1], {}, tracking.ENVIRONMENT)
    assert "environment" not in compare_runs(history.home, names)["differences"]
    tracker.log_dict(names[1], kept, tracking.ENVIRONMENT)
