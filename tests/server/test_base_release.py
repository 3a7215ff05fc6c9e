"""A recipe without tasks releases its base model: refused below counting, then champion, then started from."""

import json
import random

import pytest

from lmforge.home import Home

pytestmark = [pytest.mark.server, pytest.mark.timeout(540)]
NAME = "places-base"
SETTINGS = """\
pretraining:
  {objective: causal_lm, max_steps: 2, max_seq_length: 128, global_batch_size: 8, learning_rate: 3e-3, warmup_steps: 1,
   eval_every_n_steps: 500, compile: 'off', precision: 32-true, num_threads: 1}
expectations: {tokenized_corpus: {min_vocabulary_used: 0.05}}
release: {resamples: 1000, budgets: {latency_ratio: null}, max_documents: 60}
"""
NETWORK = "tokenizer: {kind: bpe, vocab_size: 320}\nmodel: {architecture: gpt2, size: nano}\n"
CORPUS = """\
name: places
corpus:
  sources: [{kind: files, path: data/places.jsonl, text: body, id: id}]
  cleaning: {languages: []}
  validation_share: 0.15
"""


@pytest.fixture(scope="module")
def recipes(project):
    """Texts whose words depend on their place, which a network sees and counts of five tokens only guess."""
    rng = random.Random(0)
    words = [a + b + c for a in "bdfgklm" for b in "aeiou" for c in "nrst"]
    rng.shuffle(words)
    order = [4 * rng.randrange(12) for _ in range(40)]
    rows = [{"id": f"d{n}", "body": " ".join(words[at + rng.randrange(4)] for at in order)} for n in range(500)]
    (project / "data" / "places.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (project / "recipes" / "places.yaml").write_text(CORPUS + NETWORK + SETTINGS)
    start = f"model: {{from: 'models:/{NAME}@champion'}}\n"
    (project / "recipes" / "further.yaml").write_text(CORPUS + start + SETTINGS)
    return project / "recipes"


@pytest.fixture(scope="module")
def refused(recipes, prefect_server):
    from flows.pretrain import pretrain

    return pretrain("recipes/places.yaml")


@pytest.fixture(scope="module")
def released(refused):
    from flows.pipeline import pipeline

    return pipeline("recipes/places.yaml", ["pretraining.max_steps=120", "pretraining.warmup_steps=10"])


def test_what_counts_beat_is_registered_and_not_promoted(refused):
    base = refused["base"]
    assert (base["registered_model"], base["version"], base["aliases"]) == (NAME, "1", ["challenger"])
    assert (base["verdict"], base["promoted"]) == ("refused", False)
    assert "is not better than" in base["summary"]
    assert base["metric"] == "bits_per_byte"


def test_a_trained_network_is_above_its_floors_and_becomes_champion(released):
    from tasks.gate_verdicts import stored_verdict

    base = released["base"]
    assert base["value"] < min(base["floors"].values())
    assert base["verdict"] == "first version", base["summary"]
    assert base["aliases"] == ["challenger", "champion"]
    rules = {rule.name: rule for rule in stored_verdict(Home.find(), NAME, "2").decision.rules}
    assert rules["above_5-gram"].passed
    assert rules["overlap"].observed == 0.0


def test_a_run_that_starts_from_the_champion_is_judged_against_it(released):
    from flows.pipeline import pipeline
    from tasks import registry, tracking

    base = pipeline("recipes/further.yaml", ["pretraining.max_steps=10"])["base"]
    assert base["version"] == "3"
    assert base["verdict"] in ("improved", "no measurable change", "worse within noise", "regression")
    assert ("champion" in base["aliases"]) == base["promoted"]
    tags = tracking.client(Home.find()).get_model_version(NAME, "3").tags
    assert tags["lmforge.judged_against"] == "2"
    assert registry.aliases(Home.find(), NAME)["champion"] == ("3" if base["promoted"] else "2")
