"""BLEU equals what is counted by hand and what sacreBLEU says; its gain is resampled from sums like any other."""

import math

import numpy as np
import polars as pl
import pytest
import sacrebleu

from lmforge.release.bleu import _tokens, bleu_counts, bleu_of
from lmforge.release.comparing import compare, exchange_p_value, value_of
from lmforge.release.examples import Answers, examples_frame

SENTENCE = "the cat sat on the mat"


def bleu(answers, gold):
    return float(bleu_of(bleu_counts(answers, gold).sum(axis=0)))


def test_corpora_have_the_bleu_of_sacrebleu():
    rng = np.random.default_rng(0)
    words = [
        "the",
        "cat",
        "sat,",
        "on",
        "a-b",
        "3.14",
        "mat.",
        "(x)",
        "don't",
        "&amp;",
        "é",
        "ü",
        "1,000",
        "-5",
        "“so”",
    ]

    def sentences(number):
        return [" ".join(rng.choice(words, rng.integers(1, 14))) for _ in range(number)]

    for number in rng.integers(1, 9, 200):
        answers, gold = sentences(number), sentences(number)
        assert 100 * bleu(answers, gold) == pytest.approx(sacrebleu.corpus_bleu(answers, [gold]).score, abs=1e-6)


@pytest.mark.parametrize(
    ("answer", "gold", "expected"),
    [
        (SENTENCE, SENTENCE, 1.0),
        # Matched 5 of 6, 3 of 5, 2 of 4 and 1 of 3.
        ("the cat sat on a mat", SENTENCE, (5 / 6 * 3 / 5 * 2 / 4 * 1 / 3) ** 0.25),
        # Everything matches, but 5 tokens are fewer than 6.
        ("the cat sat on the", SENTENCE, math.exp(1 - 6 / 5)),
        # `the` occurs twice in the reference, so two of seven match; no longer n-gram does.
        ("the the the the the the the", SENTENCE, (2 / 7 * (1 / 2) / 6 * (1 / 4) / 5 * (1 / 8) / 4) ** 0.25),
        ("a dog", SENTENCE, 0.0),
        ("the cat sat", SENTENCE, 0.0),
        ("", SENTENCE, 0.0),
    ],
)
def test_one_sentence_as_counted_by_hand(answer, gold, expected):
    assert bleu([answer], [gold]) == pytest.approx(expected)


def test_counts_of_sentences_are_added_before_they_are_divided():
    answers, gold = ["the cat sat on a mat", "a b c d"], [SENTENCE, "a b c d"]
    expected = (9 / 10 * 6 / 8 * 4 / 6 * 2 / 4) ** 0.25
    assert bleu(answers, gold) == pytest.approx(expected)
    means = np.mean([bleu([one], [other]) for one, other in zip(answers, gold, strict=True)])
    assert bleu(answers, gold) != pytest.approx(means)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("1,000.5 or 3-4.", ["1,000.5", "or", "3", "-", "4", "."]),
        ("don't well-known (x)", ["don't", "well-known", "(", "x", ")"]),
        ("A &amp; B\nC", ["A", "&", "B", "C"]),
    ],
)
def test_tokens_are_those_of_mteval(text, tokens):
    assert _tokens(text) == tokens


def translations(num_sentences=200, seed=0):
    """The champion replaces a third of the words of half of the sentences, the challenger those of a quarter."""
    generator = np.random.default_rng(seed)
    gold = [" ".join(generator.choice(list("abcdefghij"), size=12)) for _ in range(num_sentences)]

    def answers(share):
        texts = [
            " ".join("x" if at % 3 == 0 else word for at, word in enumerate(text.split()))
            if generator.random() < share
            else text
            for text in gold
        ]
        return Answers(texts, [0.5] * num_sentences, [1.0] * num_sentences, [1.0] * num_sentences)

    ids = [f"{at:04d}" for at in range(num_sentences)]
    return examples_frame(ids, gold, answers(0.25), answers(0.5), {})


def test_the_gate_compares_models_by_the_bleu_of_the_whole_test_set(policy):
    frame = translations()
    values = [value_of(frame, "bleu", (), side) for side in ("challenger", "champion")]
    assert values == [pytest.approx(bleu(frame[side].to_list(), frame["gold"].to_list()))
                      for side in ("challenger", "champion")]  # fmt: skip
    found = compare(frame, "bleu", (), policy(), seed=1)
    assert found.gain == pytest.approx(values[0] - values[1])
    assert 0 < found.lower_bound < found.interval.low < found.gain < found.interval.high
    assert found.mcnemar_p is None
    assert exchange_p_value(frame, "bleu", (), 1000, seed=1) < 0.01


def test_resamples_are_those_of_drawing_sentences_one_by_one(policy):
    frame = translations(60)
    found = compare(frame, "bleu", (), policy(resamples=2000), seed=1)
    generator, counts = np.random.default_rng(2), {}
    for side in ("challenger", "champion"):
        counts[side] = bleu_counts(frame[side].to_list(), frame["gold"].to_list())
    draws = generator.integers(60, size=(2000, 60))
    gains = [
        bleu_of(counts["challenger"][drawn].sum(axis=0)) - bleu_of(counts["champion"][drawn].sum(axis=0))
        for drawn in draws
    ]
    assert found.lower_bound == pytest.approx(np.quantile(gains, 0.01), abs=0.02)
    assert found.interval.high == pytest.approx(np.quantile(gains, 0.975), abs=0.02)


def test_alike_models_have_no_gain(policy):
    frame = translations().with_columns(champion=pl.col("challenger"))
    found = compare(frame, "bleu", (), policy(), seed=1)
    assert (found.gain, found.lower_bound) == (0.0, 0.0)
    assert exchange_p_value(frame, "bleu", (), 1000, seed=1) == 1.0
