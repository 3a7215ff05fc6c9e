"""Sizes, verdicts and changes of real artifacts of the data stages."""

import json

import pytest

from lmforge.errors import IntegrityError
from lmforge.reporting.data_report_stages import drift_rows, file_changes, read_stages, stage_rows, suite_rows
from tests.lmforge.reporting.conftest import write_validation


@pytest.fixture
def stages(data_run):
    return read_stages(data_run.made, data_run.reports)


def test_stages_stand_in_the_order_of_the_text(stages):
    assert [stage.name for stage in stages] == ["collect", "clean", "label-topic", "tokenize"]


def test_other_artifacts_of_a_run_are_passed_over(data_run):
    made = data_run.made | {"pretrain": data_run.made["collect"].model_copy(update={"kind": "base_model"})}
    assert "pretrain" not in {stage.name for stage in read_stages(made, data_run.reports)}


def test_sizes_balance_and_leave_the_logs_out(stages, data_run):
    rows = {row["stage"]: row for row in stage_rows(stages)}
    clean = rows["clean"]
    assert clean["read"] == clean["kept"] + clean["repaired"] + clean["quarantined"] == 55
    assert (clean["num_documents"], clean["unit"]) == (19, "records")
    files = [path for path in data_run.made["clean"].path.iterdir() if path.name not in ("logs", "manifest.json")]
    assert clean["size_bytes"] == sum(path.stat().st_size for path in files)
    assert rows["tokenize"]["num_words"] == clean["num_words"] > 100


def test_verdicts_name_what_is_broken_or_warned_of(stages):
    clean = next(row for row in suite_rows(stages) if row["stage"] == "clean")
    assert (clean["suite"], clean["passed"], clean["num_expectations"], clean["num_warnings"]) == (
        "suite_clean", True, 5, 1,
    )  # fmt: skip
    assert [one["words"] for one in clean["wrong"]] == ["words of length_drift"]


def test_two_bounds_on_one_measure_are_one_row_and_what_was_not_compared_none(stages):
    rows = [row for row in drift_rows(stages) if row["stage"] == "collect"]
    assert [(row["words"], row["limit"], row["verdict"]) for row in rows] == [
        ("words of length_drift", "at most 0.25", "warns"),
        ("words of volume_ratio", "at least 0.5, at most 2", "holds"),
    ]


def test_the_worse_verdict_of_two_bounds_is_told(tmp_path, data_run):
    write_validation(tmp_path / "collect", "collect", "k")
    path = tmp_path / "collect" / "validation.json"
    judged = json.loads(path.read_text())
    judged["outcomes"][2]["verdict"] = "broken"
    path.write_text(json.dumps(judged))
    (row,) = [one for one in drift_rows(read_stages({}, tmp_path)) if "volume" in one["words"]]
    assert row["verdict"] == "broken"


def test_files_that_came_went_and_changed(stages):
    found = file_changes(stages[0])
    assert found["num_files"] == 2
    assert {kind: found[kind]["names"] for kind in ("arrived", "vanished", "changed")} == {
        "arrived": [r"feed <b>new \u202e.jsonl"],
        "vanished": ["feed-2.jsonl"],
        "changed": ["feed-1.jsonl"],
    }
    assert found["arrived"]["number"] == 1


def test_a_first_run_has_nothing_to_compare_files_with(data_run):
    assert file_changes(read_stages(data_run.first, data_run.reports)[0]) is None


def test_an_earlier_corpus_that_is_gone_is_not_compared_with(stages, tmp_path):
    moved = stages[0].__class__(**{**vars(stages[0]), "path": tmp_path / "collect" / "key"})
    assert moved.earlier is None
    assert file_changes(moved) is None


def test_a_stage_that_its_gate_stopped_has_a_verdict_and_no_sizes(data_run, tmp_path):
    made = {"collect": data_run.made["collect"]}
    write_validation(tmp_path / "clean", "clean", "", passed=False)
    write_validation(tmp_path / "evaluate-topic", "predictions", "")
    stages = read_stages(made, tmp_path)
    assert [stage.name for stage in stages] == ["collect", "clean"]
    assert [row["stage"] for row in stage_rows(stages)] == ["collect"]
    assert [row["passed"] for row in suite_rows(stages)] == [True, False]


def test_a_damaged_report_is_named(tmp_path):
    write_validation(tmp_path / "clean", "clean", "")
    (tmp_path / "clean" / "validation.json").write_text('{"suite"')
    with pytest.raises(IntegrityError, match=r"validation\.json is no JSON"):
        read_stages({}, tmp_path)
