"""BLEU equals what is counted by hand and what sacreBLEU says; its gain is resampled from sums like any other.

sacreBLEU's paired test gives the number that its command line prints, in one part or in several.
"""

import json
import math
import os
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
import sacrebleu

from lmforge.release.bleu import _MAX_DRAWS, bleu_counts, bleu_of, paired_bootstrap_p_value
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


def test_numbers_keep_their_signs_and_other_punctuation_stands_alone():
    (counts,) = bleu_counts(["1,000.5 or 3-4."], ["1,000.5 or 3 - 4 ."])
    assert counts.tolist() == [6, 5, 4, 3, 6, 5, 4, 3, 6, 6]


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


def texts(frame):
    return [frame[name].to_list() for name in ("challenger", "champion", "gold")]


def test_the_paired_test_is_that_of_the_command_line(tmp_path):
    frame = translations(60, seed=4)
    for name in ("challenger", "champion", "gold"):
        (tmp_path / name).write_text("\n".join(frame[name].to_list()) + "\n")
    command = [sys.executable, "-m", "sacrebleu", "gold", "-i", "champion", "challenger", "-m", "bleu"]
    answer = subprocess.run(
        [*command, "--paired-bs", "--paired-bs-n", "10000", "--format", "json"],
        cwd=tmp_path, capture_output=True, text=True, check=True, env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    printed = json.loads(answer.stdout)[1]["BLEU"]["p_value"]
    assert 0.001 < printed < 0.2
    assert paired_bootstrap_p_value(*texts(frame), 10_000) == printed


def test_a_seed_in_the_environment_decides_nothing(monkeypatch):
    found = paired_bootstrap_p_value(*texts(translations(60, seed=4)), 1000)
    monkeypatch.setenv("SACREBLEU_SEED", "none")
    assert paired_bootstrap_p_value(*texts(translations(60, seed=4)), 1000) == found


def test_large_sets_take_their_resamples_in_parts():
    frame = translations(50, seed=3)
    many = [one * 52 for one in texts(frame)]
    assert 2000 * len(many[0]) > _MAX_DRAWS
    whole = paired_bootstrap_p_value(*texts(frame), 2000)
    # Fifty-two times the sentences make a difference that could be luck one that is none.
    assert whole > 0.01
    assert paired_bootstrap_p_value(*many, 2000) == 1 / 2001


def test_a_clear_difference_is_counted_in_one_tail(policy):
    frame = translations(60, seed=4)
    found = paired_bootstrap_p_value(*texts(frame), 10_000)
    one_sided = compare(frame, "bleu", (), policy(resamples=10_000), seed=1).p_value
    assert found == pytest.approx(one_sided, rel=0.3)


def test_alike_answers_have_the_smallest_p_value():
    gold = translations(20)["gold"].to_list()
    assert paired_bootstrap_p_value(gold, gold, gold, 1000) == 1 / 1001
