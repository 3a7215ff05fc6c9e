"""Base models in a real registry: judged in bits a byte, promoted, started from, and refused where nothing compares."""

from __future__ import annotations

from types import SimpleNamespace

import polars as pl
import pytest
import torch
from transformers import AutoTokenizer

from lmforge.artifacts import Counts, Store
from lmforge.artifacts.store import Outcome, Request
from lmforge.evaluation.language import DOCUMENTS
from lmforge.evaluation.language_documents import DocumentScorer, held_out_documents, measured, metric_of, value_of
from lmforge.hashing import hash_file
from lmforge.recipe import load_recipe
from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.tokenizer import train_tokenizer
from lmforge.training.objectives import special_ids
from models.architectures import build_config, language_model
from tasks import registry, tracking
from tasks.context import Run
from tasks.gate_verdicts import REFUSED_TAG, stored_verdict
from tasks.lineage import lineage_of
from tasks.promote import promote_base
from tasks.registering_base import register_base
from tasks.starting import resolve
from tests.registries import home_at
from tests.tiny import RECIPE

# Each judgement and each promotion asks a process of its own, which takes seconds.
pytestmark = pytest.mark.server
NAME = "tiny-base"
WITHOUT_TASKS = RECIPE[: RECIPE.index("tasks:")] + RECIPE[RECIPE.index("release:") :]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return home_at(tmp_path_factory.mktemp("project") / ".lmforge").prepare()


@pytest.fixture(scope="module")
def version(home, descriptions, tmp_path_factory):
    """Registers and judges a network with new weights, the worse the larger `scale`; gives all that came of it."""
    place, store = tmp_path_factory.mktemp("made"), Store(home.store)
    texts = [row["description"] for row in descriptions[:100]]

    def kept(stage, fill):
        return store.get_or_build(Request(stage, stage, {"n": str(fill)}, {}, "c"), fill)[0]

    def clean(out):
        splits = ["validation" if number % 3 == 0 else "train" for number in range(len(texts))]
        rows = {"id": [f"d{number:03d}" for number in range(len(texts))], "text": texts, "split": splits}
        pl.DataFrame(rows).write_parquet(out / "part-00000.parquet")
        return Outcome(Counts(read=100, kept=100))

    cleaned = kept("clean", clean)

    def make(scale, objective="causal_lm", architecture="gpt2", kind="bpe"):
        path = place / "recipe.yaml"
        path.write_text(WITHOUT_TASKS)
        changes = [f"model.architecture={architecture}", f"pretraining.objective={objective}"]
        recipe = load_recipe(path, [*changes, "release.budgets.latency_ratio=null", "release.max_documents=20"])
        experiment = tracking.experiment(home, "tiny")
        run_id = tracking.client(home).create_run(experiment).info.run_id
        run = Run(recipe=recipe, recipe_path="tiny.yaml", home=home, run_id=run_id, experiment_id=experiment)

        def base(out):
            train_tokenizer(texts, Tokenizer(kind=kind, vocab_size=500), 64, out / "tokenizer")
            special = special_ids(out / "tokenizer")
            torch.manual_seed(0)
            config = build_config(architecture, "nano", special, max_positions=64, dropout=0.0)
            network = language_model(objective, config)
            with torch.no_grad():
                for weight in network.parameters():
                    weight.mul_(scale)
            network.save_pretrained(out / "model")
            AutoTokenizer.from_pretrained(out / "tokenizer").save_pretrained(out / "model")
            return Outcome(Counts(), {"parameters": 1})

        trained = kept("pretrain", base)

        def evaluate(out):
            documents, _ = held_out_documents(cleaned.path, 20)
            settings = recipe.pretraining
            scores = DocumentScorer(trained.path / "model", measured(settings)).score(documents)
            scores.write_parquet(out / DOCUMENTS)
            metric = metric_of(settings)
            judged = {"metric": metric, "value": value_of(scores, metric), "floors": {"unigram": 1000.0}}
            facts = {"model": {"loss": 1.0}, "floors": {}, "documents": judged | {"num_documents": len(scores)}}
            return Outcome(Counts(), facts)

        made = {"clean": cleaned, "pretrain": trained, "evaluate-language": kept("evaluate-language", evaluate)}
        registered = register_base.fn(run, made)
        decision = promote_base.fn(run, registered, made)
        return SimpleNamespace(run=run, made=made, registered=registered, decision=decision, path=path)

    return make


@pytest.fixture(scope="module")
def worse(version):
    return version(4.0)


@pytest.fixture(scope="module")
def better(worse, version):
    return version(1.0)


def test_the_first_version_above_its_floor_becomes_champion(home, worse):
    assert worse.registered.name == NAME
    assert worse.decision["verdict"] == "first version"
    assert worse.decision["champion"] == "1"
    evidence = tracking.client(home).get_model_version(NAME, "1").tags
    assert evidence["lmforge.objective"] == "causal_lm"
    assert evidence["lmforge.model"] == worse.made["pretrain"].fingerprint


def test_registered_files_are_those_of_the_training_and_have_a_card(home, worse):
    directory = registry.model_directory(home, f"models:/{NAME}/1")
    for path in (worse.made["pretrain"].path / "model").iterdir():
        assert hash_file(directory / path.name) == hash_file(path)
    card = (directory / "README.md").read_text()
    assert "pipeline_tag: text-generation" in card
    assert "bits_per_byte" in card.replace("\\", "")


def test_a_better_version_is_promoted_on_evidence_that_verifies(home, better):
    assert better.decision["verdict"] == "improved", better.decision["summary"]
    assert registry.aliases(home, NAME)["champion"] == "2"
    verdict = stored_verdict(home, NAME, "2")
    names = {rule.name: rule for rule in verdict.decision.rules}
    assert names["files"].passed and names["self_test"].passed and names["above_unigram"].passed
    assert verdict.decision.comparison.metric == "bits_per_byte"
    assert verdict.decision.comparison.num_examples == 20


def test_the_same_evidence_is_neither_registered_nor_judged_again(better):
    again = register_base.fn(better.run, better.made)
    assert (again.version, again.reused) == ("2", True)
    assert promote_base.fn(better.run, again, better.made)["decided_earlier"]


def test_lineage_and_a_start_find_a_base_version(home, better):
    assert {one["name"] for one in lineage_of(home, NAME)["stages"]} == {"clean", "pretrain", "evaluate-language"}
    text = WITHOUT_TASKS[: WITHOUT_TASKS.index("tokenizer:")]
    settings = "pretraining: {objective: causal_lm, max_seq_length: 64}\n"
    better.path.write_text(f"{text}model: {{from: 'models:/{NAME}@champion'}}\n{settings}")
    found, start = resolve(home, load_recipe(better.path))
    assert (start.name, found.model.architecture) == (f"models:/{NAME}/2", "gpt2")


def test_what_nothing_compares_is_refused_and_says_how_to_go_on(home, better, version):
    refused = version(1.0, "masked_lm", "bert", "wordpiece")
    assert refused.decision["verdict"] == "refused"
    assert not refused.decision["promoted"]
    assert "it is measured by masked_lm, the champion by causal_lm" in refused.decision["summary"]
    assert f"model.from: models:/{NAME}/2" in refused.decision["summary"]
    tags = tracking.client(home).get_model_version(NAME, "3").tags
    assert tags[REFUSED_TAG] == refused.decision["summary"]
    assert tags[registry.STATE_TAG] == "rejected"
    assert registry.aliases(home, NAME)["champion"] == "2"


def test_what_mlflow_has_no_pipeline_for_is_registered_as_a_directory(home, version):
    made = version(1.0, "denoising", "bart")
    directory = registry.model_directory(home, f"models:/{NAME}/{made.registered.version}")
    for path in (made.made["pretrain"].path / "model").iterdir():
        assert hash_file(directory / path.name) == hash_file(path)
    assert "AutoModelForSeq2SeqLM" in (directory / "README.md").read_text()
    assert made.decision["verdict"] in ("first version", "refused")
