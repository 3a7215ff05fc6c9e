"""The gate of a real stage directory: what it accepts is what the next run is compared with."""

from __future__ import annotations

import json
import logging

import polars as pl
import pytest

from expectations.raw_corpus import raw_corpus
from expectations.tokenized_corpus import tokenized_corpus
from lmforge.artifacts.snapshots import Snapshots
from lmforge.errors import ContractError
from lmforge.home import Home
from lmforge.recipe import load_recipe
from lmforge.text.profiling import read_profile
from tasks import tracking
from tasks.context import Run
from tasks.gating import gate
from tests.tiny import make_project


@pytest.fixture(scope="module")
def project_run(tmp_path_factory):
    path = make_project(tmp_path_factory.mktemp("gate") / "project", num_documents=8)
    home = Home(project=path.parents[1], path=path.parents[1] / ".lmforge")
    home.path.mkdir()
    recipe = load_recipe(path, ["expectations.max_failing_rows=5"])
    experiment_id, run_id = tracking.start_parent(home, recipe, "recipes/tiny.yaml", [])
    return Run(recipe=recipe, recipe_path="recipes/tiny.yaml", home=home, run_id=run_id, experiment_id=experiment_id)


@pytest.fixture
def run(project_run, request):
    """A recipe name of this test's own, so that no other test has accepted anything under it."""
    recipe = project_run.recipe.model_copy(update={"name": request.node.name.replace("test_", "")})
    return project_run.model_copy(update={"recipe": recipe})


@pytest.fixture
def pass_gate(run, tmp_path):
    def call(key: str, num_rows: int = 200, *, word: str = "word", **thresholds):
        out = tmp_path / key
        out.mkdir()
        texts = [f"{word}{n % 9} and {word}{n % 7} of {word} number {n}" for n in range(num_rows)]
        columns = {
            "id": [f"d{n}" for n in range(num_rows)],
            "text": texts,
            "source": "s",
            "line": list(range(num_rows)),
        }
        facts = {"read": num_rows, "quarantined": 0}
        return gate(run, "collect", raw_corpus(**thresholds), pl.LazyFrame(columns), out, facts)

    return call


def verdicts(summary):
    return {
        outcome.key.rpartition(".")[2]: outcome.verdict
        for outcome in summary.outcomes
        if "ratio" in outcome.key or "drift" in outcome.key
    }


def test_first_run_compares_nothing_and_is_accepted(run, pass_gate, tmp_path):
    summary = pass_gate("a")
    assert set(verdicts(summary).values()) == {"not compared"}
    assert (summary.compared_with, summary.num_warnings) == ("", 0)
    kept = Snapshots(run.home.snapshots).last(run.recipe.name, "collect")
    assert kept["key"] == "a"
    assert kept["profile"] == read_profile(tmp_path / "a")
    assert kept["statistics"]["num_rows"] == 200
    report = tmp_path / "a" / "logs" / "validation"
    assert {path.name for path in report.iterdir()} == {"validation.json", "data_docs.html"}
    logged = tracking.client(run.home).list_artifacts(run.run_id, "data_docs/collect")
    assert {item.path for item in logged} == {"data_docs/collect/validation.json", "data_docs/collect/data_docs.html"}


def test_same_data_again_drifts_by_nothing(run, pass_gate):
    pass_gate("a")
    summary = pass_gate("b")
    assert summary.compared_with == "a"
    assert set(verdicts(summary).values()) == {"holds"}
    assert summary.statistics["length_drift"] == summary.statistics["vocabulary_drift"] == 0.0
    assert summary.statistics["volume_ratio"] == 1.0
    kept = Snapshots(run.home.snapshots).last(run.recipe.name, "collect")
    assert not [name for name in kept["statistics"] if name.startswith("then_")]


def test_a_warning_is_logged_and_counted_and_accepted(run, pass_gate, caplog):
    pass_gate("a")
    with caplog.at_level(logging.WARNING, "lmforge.gate"):
        summary = pass_gate("b", word="mot")
    assert (summary.passed, summary.num_warnings) == (True, 1)
    (message,) = [record.getMessage() for record in caplog.records if record.name == "lmforge.gate"]
    assert message.startswith("raw_corpus: drift of the vocabulary (Jensen-Shannon divergence): got 0.")
    assert Snapshots(run.home.snapshots).last(run.recipe.name, "collect")["key"] == "b"


def test_half_a_feed_stops_and_is_not_accepted(run, pass_gate):
    pass_gate("a")
    with pytest.raises(ContractError, match=r"got 0\.495, expected at least 0\.5\n.*min_volume_ratio"):
        pass_gate("b", 99, min_documents=10)
    assert Snapshots(run.home.snapshots).last(run.recipe.name, "collect")["key"] == "a"
    summary = pass_gate("c", 99, min_documents=10, min_volume_ratio=0.1)
    assert summary.statistics["then_num_rows"] == 200
    assert pass_gate("d", 99, min_documents=10).statistics["then_num_rows"] == 99


def test_an_artifact_that_is_made_again_is_compared_with_the_one_before(pass_gate, tmp_path):
    pass_gate("a")
    pass_gate("b", 300)
    (tmp_path / "b").rename(tmp_path / "damaged")
    summary = pass_gate("b", 300)
    assert (summary.compared_with, summary.statistics["volume_ratio"]) == ("a", 1.5)


def test_a_profile_of_another_format_is_not_compared(run, pass_gate):
    pass_gate("a")
    snapshots = Snapshots(run.home.snapshots)
    old = snapshots.last(run.recipe.name, "collect")
    snapshots.accept(run.recipe.name, "collect", old | {"profile": old["profile"] | {"format": 0}})
    assert set(verdicts(pass_gate("b")).values()) == {"not compared"}


def test_the_data_of_an_artifact_does_not_depend_on_what_ran_before(pass_gate, tmp_path):
    for key in ("a", "b"):
        pass_gate(key)
    one, two = (
        {path.relative_to(tmp_path / key): path.read_bytes() for path in (tmp_path / key).rglob("*") if path.is_file()}
        for key in ("a", "b")
    )
    assert one.keys() == two.keys()
    assert {str(name) for name in one if one[name] != two[name]} <= {
        "logs/validation/validation.json",
        "logs/validation/data_docs.html",
    }


def test_the_profile_that_a_stage_wrote_is_used(run, tmp_path, pass_gate):
    pass_gate("a")
    described = read_profile(tmp_path / "a")
    out = tmp_path / "b"
    out.mkdir()
    (out / "profile.json").write_text(json.dumps(described | {"num_words": 20_000}), encoding="utf-8")
    columns = {"id": [f"d{n}" for n in range(200)], "text": "one two three", "source": "s", "line": 1}
    summary = gate(run, "collect", raw_corpus(), pl.LazyFrame(columns), out, {"read": 200, "quarantined": 0})
    assert summary.statistics["mean_words"] == 100


def test_facts_alone_are_compared_too(run, tmp_path):
    facts = {
        "num_train_blocks": 8, "num_validation_blocks": 1, "num_tokens": 1200, "num_words": 1000,
        "unknown_share": 0.01, "vocabulary_used_share": 0.9, "vocab_size": 300, "max_token_id": 299,
        "train_fill_rate": 1.0,
    }  # fmt: skip
    for key, num_tokens in (("a", 1200), ("b", 3000)):
        (tmp_path / key).mkdir()
        summary = gate(run, "tokenize", tokenized_corpus(), None, tmp_path / key, facts | {"num_tokens": num_tokens})
    assert {name for name, verdict in verdicts(summary).items() if verdict == "warns"} == {
        "max_volume_ratio",
        "max_fertility_drift",
    }
    assert not (tmp_path / "b" / "profile.json").exists()


def test_failing_rows_stop_at_the_limit_of_the_recipe(run, tmp_path):
    (tmp_path / "a").mkdir()
    columns = {"id": [f"d{n}" for n in range(200)], "text": " ", "source": "s", "line": 1}
    with pytest.raises(ContractError):
        gate(run, "collect", raw_corpus(), pl.LazyFrame(columns), tmp_path / "a", {"read": 200, "quarantined": 0})
    rows = (run.report_directory("collect") / "failing_rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 5
