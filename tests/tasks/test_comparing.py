"""Runs that a real tracking store holds are listed, named, compared and paired."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from lmforge.errors import InputError
from lmforge.home import Home
from lmforge.reporting.comparison import render_comparison, render_runs
from lmforge.services.record import ServiceRecord, write_records
from tasks import tracking
from tasks.comparing import _resolve, compare_runs, list_runs
from tasks.context import BASE_REPORT


def test_runs_are_listed_newest_first_without_nested_ones(history, runs):
    rows = list_runs(history.home)
    assert [row["run_id"] for row in rows] == list(runs.values())[::-1]
    assert [row["status"] for row in rows] == ["finished", "killed"] + ["finished"] * 4
    assert [row["recipe"] for row in rows] == ["base"] + ["demo"] * 5
    assert rows[0]["language"] == {"val/loss": 2.0, "val/perplexity": 7.389, "floor/bigram_loss": 4.0}
    assert rows[3]["overrides"] == "tasks.section.finetuning.learning_rate=1e-3"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", rows[0]["started"])
    assert 0 < rows[0]["seconds"] < 60


def test_the_list_shows_the_aliases_of_now(history, runs):
    tasks = {row["run_id"]: row["tasks"] for row in list_runs(history.home, "demo")}
    assert tasks[runs["stopped"]] == []
    assert [task["aliases"] for task in tasks[runs["better"]]] == [["champion"]]
    assert [task["aliases"] for task in tasks[runs["moved"]]] == [["challenger"]]
    assert [(task["value"], task["aliases"]) for task in tasks[runs["worse"]]] == [(0.7, [])]


def test_the_list_can_be_cut_to_a_recipe_and_a_length(history, runs):
    assert [row["run_id"] for row in list_runs(history.home, "base")] == [runs["base"]]
    assert [row["run_id"] for row in list_runs(history.home, limit=2)] == [runs["base"], runs["stopped"]]
    with pytest.raises(InputError, match="dmeo: no recipe of this name has run; did you mean demo"):
        list_runs(history.home, "dmeo")
    with pytest.raises(InputError, match=r"zzz: no recipe of this name has run; recipes that have run: base, demo$"):
        list_runs(history.home, "zzz")
    assert max(map(len, render_runs(list_runs(history.home)).splitlines())) <= 80


def test_a_project_that_never_ran_has_no_runs_and_stays_untouched(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert list_runs(Home(project=tmp_path, path=tmp_path / ".lmforge")) == []
    assert list(tmp_path.iterdir()) == []


def test_a_better_run_differs_in_setting_evidence_and_result_and_its_gain_is_paired(history, runs):
    document = compare_runs(history.home, [runs["worse"], runs["better"]])
    assert document["differences"]["recipe"] == {"tasks.section.finetuning.learning_rate": [5e-4, 1e-3]}
    assert list(document["differences"]["stages"]) == ["evaluate-section"]
    assert [one["value"] for one in document["differences"]["task section"]["test/macro_f1"]] == [0.7, 0.9]
    gain = document["gains"]["section"]
    assert gain["gain"] == pytest.approx(0.2, abs=1e-3)
    assert 0.1 < gain["interval"]["low"] < 0.2 < gain["interval"]["high"] < 0.3
    assert (gain["num_examples"], gain["resamples"], gain["seed"]) == (200, 1000, 42)
    assert "better" in render_comparison(document)


def test_a_gain_is_the_second_run_minus_the_first(history, runs):
    gain = compare_runs(history.home, [runs["better"], runs["worse"]])["gains"]["section"]
    assert gain["gain"] == pytest.approx(-0.2, abs=1e-3)
    assert gain["interval"]["high"] < 0


def test_a_run_that_reused_everything_does_not_differ(history, runs):
    document = compare_runs(history.home, [runs["better"], runs["again"]])
    assert (document["differs"], document["gains"]) == (False, {})
    assert document["timings"]["evaluate-section"] == [1.5, 1.5]
    assert "nothing differs" in render_comparison(document)


def test_other_test_sets_are_not_paired(history, runs):
    gains = compare_runs(history.home, [runs["better"], runs["moved"]])["gains"]
    assert gains == {"section": {"reason": "the runs have different test sets"}}


def test_three_runs_are_compared_without_a_gain(history, runs):
    document = compare_runs(history.home, [runs["worse"], runs["better"], runs["stopped"]])
    assert document["differences"]["run"] == {"status": ["finished", "finished", "killed"]}
    assert document["gains"] == {}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["latest~1", "latest"], ["stopped", "base"]),
        (["latest~5", " LATEST "], ["worse", "base"]),
    ],
)
def test_runs_are_named_by_age(history, runs, names, expected):
    found = compare_runs(history.home, names)["runs"]
    assert [run["run_id"] for run in found] == [runs[name] for name in expected]


def test_runs_are_named_by_their_first_characters(history, runs):
    wanted = [runs["worse"], runs["again"]]
    found = compare_runs(history.home, [wanted[0][:12], wanted[1].upper()])["runs"]
    assert [run["run_id"] for run in found] == wanted


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("latest~6", "goes too far back; runs so far: 6; list them: lmforge runs"),
        ("abc", "give at least 4 characters"),
        ("", "give at least 4 characters"),
        ("zzzz", r"zzzz: no run has this id; nearest: [0-9a-f]{8} \(\d{4}-\d\d-\d\d\), .*lmforge runs"),
        ("\x1b[2J" * 99, r"\\x1b\[2J.*no run has this id"),
    ],
)
def test_a_name_that_fits_no_run_is_refused_with_the_nearest(history, runs, name, words):
    with pytest.raises(InputError, match=words) as caught:
        compare_runs(history.home, ["latest", name])
    assert "\x1b" not in str(caught.value)


def test_characters_that_fit_several_runs_are_refused_with_all_of_them(history, runs):
    run = tracking.client(history.home).get_run(runs["base"])
    known = {"abcd1" + "0" * 27: run, "abcd2" + "0" * 27: run}
    with pytest.raises(InputError, match=r"abcd: fits 2 runs: abcd10+, abcd20+; give more characters"):
        _resolve("abcd", known)
    assert _resolve("abcd2", known) == "abcd2" + "0" * 27


def test_a_mistyped_id_names_the_run_that_was_meant_first(history, runs):
    meant = runs["moved"]
    typed = meant[:6] + "zz"
    with pytest.raises(InputError, match=f"nearest: {meant[:8]} "):
        compare_runs(history.home, ["latest", typed])


def test_one_run_is_not_enough(history, runs):
    with pytest.raises(InputError, match="at least two runs or versions"):
        compare_runs(history.home, ["latest"])


def test_the_address_names_the_runs_and_says_whether_anything_answers(history, runs):
    pair = [runs["worse"], runs["base"]]
    stopped = compare_runs(history.home, pair)["mlflow"]
    assert stopped["running"] is False
    page = urlsplit(urlsplit(stopped["url"]).fragment)
    asked = {key: json.loads(value) for key, (value,) in parse_qs(page.query).items()}
    assert page.path == "/compare-runs"
    assert asked["runs"] == pair
    assert len(set(asked["experiments"])) == 2
    write_records(history.home, [ServiceRecord.of("mlflow", os.getpid(), 5003, "http://127.0.0.1:5003")])
    started = compare_runs(history.home, pair)["mlflow"]
    assert started == {"url": stopped["url"].replace(":5000/", ":5003/"), "running": True}
    history.home.services.unlink()


def test_a_run_of_another_machine_is_read_from_the_tracker(history, runs):
    directory = history.home.runs / runs["moved"]
    directory.rename(directory.with_name("elsewhere"))
    row = next(row for row in list_runs(history.home) if row["run_id"] == runs["moved"])
    assert [task["value"] for task in row["tasks"]] == [0.85]
    directory.with_name("elsewhere").rename(directory)


def test_half_a_line_of_a_killed_run_is_passed_over(history, runs):
    journal = history.home.runs / runs["moved"] / "stages.jsonl"
    whole = journal.read_bytes()
    journal.write_bytes(whole[:-20])
    assert compare_runs(history.home, [runs["worse"], runs["moved"]])["gains"] == {}
    journal.write_bytes(whole)


def test_evidence_that_was_removed_is_said_to_be_gone(history, runs):
    record = json.loads((history.home.runs / runs["moved"] / "stages.jsonl").read_text().splitlines()[0])
    manifest = Path(record["path"]) / "manifest.json"
    manifest.rename(manifest.with_suffix(".away"))
    gains = compare_runs(history.home, [runs["worse"], runs["moved"]])["gains"]
    manifest.with_suffix(".away").rename(manifest)
    assert gains == {"section": {"reason": "evidence of a run is no longer in the store"}}


def test_a_base_model_is_read_with_its_run(history, runs):
    document = {
        "metric": "bits_per_byte", "value": 0.6, "floors": {}, "num_documents": 60, "registered_model": "demo-section",
        "version": "1", "verdict": "first version", "aliases": [],
    }  # fmt: skip
    path = history.home.runs / runs["base"] / BASE_REPORT
    path.write_text(json.dumps(document))
    try:
        found = compare_runs(history.home, [runs["base"], runs["worse"]])["differences"]["base model"]
        assert (found["verdict"], found["bits_per_byte"]) == (["first version", None], [0.6, None])
        assert found["state"] == ["registered", None]
        listed = {one["run_id"]: one for one in list_runs(history.home)}
        assert listed[runs["base"]]["base"]["registered_model"] == "demo-section"
    finally:
        path.unlink()
