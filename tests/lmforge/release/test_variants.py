"""Changed texts are drawn by hash, answered by both models, and what is not whole is refused."""

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from lmforge.errors import IntegrityError
from lmforge.release.examples import Answers, examples_frame
from lmforge.release.variants import answer_variants, changed_texts, check_variants, draw, pair
from lmforge.serving.classifier import Classifier
from models.architectures import Special, build_config, classifier
from tests.lmforge.release.conftest import make_policy

NUM_EXAMPLES = 60
SPECIAL = Special(pad=0, cls=2, sep=3, mask=4, vocab_size=600)
POLICY = make_policy(
    robustness={"num_examples": 20, "min_examples": 10}, fairness={"num_examples": 12, "min_examples": 10}
)
TEXTS = pl.DataFrame(
    {
        "id": [f"e{at:02d}" for at in range(NUM_EXAMPLES)],
        "text": [f"{'He' if at % 3 == 0 else 'One'} wrote letter number {at} yesterday" for at in range(NUM_EXAMPLES)],
    }
)


class Reader:
    """Says `he` with 0.9 where it reads `He`, else `other` with 0.8; one that is strict about case knows no `HE`."""

    def __init__(self, strict):
        self.labels, self.strict = ["other", "he"], strict

    def probabilities(self, texts):
        held = [any(word == "He" if self.strict else word.lower() == "he" for word in text.split()) for text in texts]
        return np.array([[0.1, 0.9] if one else [0.8, 0.2] for one in held], dtype=np.float32)


def answered(models):
    answers = []
    for model in models:
        found = model.probabilities(TEXTS["text"].to_list())
        outputs = [model.labels[at] for at in found.argmax(-1)]
        scores = [float(one == ("he" if at % 3 == 0 else "other")) for at, one in enumerate(outputs)]
        answers.append(Answers(outputs, scores, [1.0] * NUM_EXAMPLES, [0.1] * NUM_EXAMPLES, found.max(-1).tolist()))
    gold = ["he" if at % 3 == 0 else "other" for at in range(NUM_EXAMPLES)]
    return examples_frame(TEXTS["id"].to_list(), gold, answers[0], answers[1] if len(answers) > 1 else None, {})


def variants_of(*models, policy=POLICY):
    examples = answered(models)
    found = answer_variants(models[0], models[1] if len(models) > 1 else None, TEXTS, examples, policy, 7)
    return found, examples


def test_each_kind_has_the_same_sample_and_identity_its_own():
    found = changed_texts(TEXTS, POLICY, 7)
    by_kind = {kind: set(rows["id"]) for (kind,), rows in found.group_by("kind")}
    assert {kind: len(ids) for kind, ids in by_kind.items()} == {
        "typos": 20, "upper": 20, "lower": 20, "unicode": 20, "identity": 12,
    }  # fmt: skip
    assert by_kind["typos"] == by_kind["upper"] == by_kind["lower"] == by_kind["unicode"]
    assert all(int(one[1:]) % 3 == 0 for one in by_kind["identity"])
    assert all(text.startswith("She ") for text in found.filter(pl.col("kind") == "identity")["text"])


def test_neither_order_nor_other_examples_change_a_text():
    found = changed_texts(TEXTS, POLICY, 7)
    assert changed_texts(TEXTS.reverse(), POLICY, 7).equals(found)
    kept = TEXTS.filter(pl.col("id").is_in(found["id"].to_list()))
    assert changed_texts(kept, POLICY, 7).equals(found)
    assert not changed_texts(TEXTS, POLICY, 8).equals(found)


@given(st.lists(st.text(max_size=5), unique=True), st.integers(0, 40), st.integers(0, 5), st.randoms())
@settings(max_examples=100, deadline=None)
def test_a_smaller_sample_is_a_part_of_a_larger_one(ids, number, seed, random):
    found = draw(ids, number, seed)
    random.shuffle(ids)
    assert found == draw(ids, number, seed) == draw(ids, number + 3, seed)[:number]
    assert len(found) == min(number, len(ids)) and set(found) <= set(ids)


def test_both_models_answer_and_confidence_is_that_of_the_plain_answer():
    found, examples = variants_of(Reader(strict=True), Reader(strict=False))
    check_variants(found, examples)
    upper = pair(found, "upper", examples).filter(pl.col("gold") == "he")
    assert len(upper) and upper["challenger_score_changed"].sum() == 0
    assert upper["challenger_changed"].unique().to_list() == ["other"]
    assert upper["challenger_confidence_changed"].to_numpy() == pytest.approx(0.2)
    assert upper["champion_score_changed"].to_list() == upper["champion_score"].to_list() == [1.0] * len(upper)
    swapped = pair(found, "identity", examples)
    assert swapped["challenger_changed"].unique().to_list() == ["other"]
    assert swapped["champion_confidence_changed"].to_numpy() == pytest.approx(0.2)


def test_the_first_version_answers_alone():
    found, examples = variants_of(Reader(strict=False))
    check_variants(found, examples)
    assert found["champion"].null_count() == found["champion_score"].null_count() == len(found) == 92


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"fairness": None}, ["lower", "typos", "unicode", "upper"]),
        ({"robustness": None}, ["identity"]),
        ({"robustness": {"kinds": ["lower"]}, "fairness": {"terms": [["queen", "king"]]}}, ["lower"]),
    ],
)
def test_only_what_the_recipe_wants_is_answered(changes, kinds):
    found, _ = variants_of(Reader(strict=False), policy=make_policy(**changes))
    assert sorted(set(found["kind"])) == kinds


def test_nothing_wanted_is_nothing_answered():
    off = make_policy(robustness=None, fairness=None)
    assert variants_of(Reader(strict=False), policy=off)[0] is None
    none = make_policy(robustness=None, fairness={"terms": [["queen", "king"]]})
    found, examples = variants_of(Reader(strict=False), policy=none)
    assert len(found) == 0
    check_variants(found, examples)


def test_released_models_answer_changed_texts(tmp_path, training_data, descriptions):
    """Two networks of random weights, as transformers directories; what they answered to plain text is looked up."""
    models = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        config = build_config("bert", "nano", SPECIAL, max_positions=64, dropout=0.1)
        network = classifier(["games", "net", "text"], config=config)
        network.save_pretrained(tmp_path / str(seed))
        AutoTokenizer.from_pretrained(training_data / "tokenizer").save_pretrained(tmp_path / str(seed))
        models.append(Classifier(tmp_path / str(seed)))
    rows = descriptions[:40]
    texts = pl.DataFrame({"id": [f"d{at}" for at in range(40)], "text": [row["description"] for row in rows]})
    answers = []
    for model in models:
        found = model.predict(texts["text"].to_list())
        scores = [float(one.label == row["section"]) for one, row in zip(found, rows, strict=True)]
        labels, sure = [one.label for one in found], [one.probability for one in found]
        answers.append(Answers(labels, scores, [1.0] * 40, [0.1] * 40, sure))
    examples = examples_frame(texts["id"].to_list(), [row["section"] for row in rows], *answers, {})
    changed = answer_variants(*models, texts, examples, POLICY, 7)
    check_variants(changed, examples)
    lower = pair(changed, "lower", examples)
    assert len(lower) == 20
    moved = (lower["challenger_confidence_changed"] - lower["challenger_confidence"]).abs()
    assert moved.max() < 0.2 and lower["challenger_confidence"].min() > 1 / 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda frame: frame.drop("champion"), "columns"),
        (lambda frame: pl.concat([frame, frame.head(2)]), "2 rows repeat"),
        (lambda frame: frame.with_columns(pl.lit("x1").alias("id")).unique("kind"), "of no test example"),
        (lambda frame: frame.with_columns(challenger_score=pl.lit(float("nan"))), "of the challenger"),
        (lambda frame: frame.with_columns(champion_score=pl.lit(None, pl.Float64)), "of the champion"),
        (lambda frame: frame.with_columns(champion_confidence=pl.lit(1.5)), "of the champion"),
        (lambda frame: frame.with_columns(challenger=pl.lit(None, pl.String)), "of the challenger"),
    ],
)
def test_what_is_not_whole_is_refused(change, message):
    found, examples = variants_of(Reader(strict=True), Reader(strict=False))
    with pytest.raises(IntegrityError, match=message):
        check_variants(change(found), examples)
