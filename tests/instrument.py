"""Evidence with planted effects: right and wrong answers of two models whose quality is known."""

import numpy as np
import polars as pl

from lmforge.recipe.release import Release
from lmforge.release.evidence import Evidence, Facts, SelfTest, Subject
from lmforge.release.examples import Answers, examples_frame

LABELS = ("ham", "spam", "toad")
KINDS = ("typos", "upper", "lower", "unicode", "identity")
CHAMPION = Subject(version="1", fingerprint="b" * 64, size_bytes=1000)


def make_policy(**changes):
    return Release(**{"resamples": 1000} | changes)


def make_facts(champion=True, **changes):
    known = {
        "name": "news-topic",
        "task_kind": "sequence_classification",
        "metric": "accuracy",
        "labels": LABELS,
        "minimum": 0.5,
        "baselines": {"majority": 0.34},
        "test_digest": "d" * 64,
        "self_test": SelfTest(files_verified=True, answered=True, words="8 examples answered"),
        "challenger": Subject(version="2", fingerprint="a" * 64, size_bytes=1000),
        "champion": CHAMPION if champion is True else champion or None,
        "policy": make_policy(),
        "seed": 7,
        "code": "c" * 40,
        "made_at": "2026-03-01T12:00:00+00:00",
    }
    return Facts(**known | changes)


def make_examples(
    num_examples=400, gain=0.0, seed=0, champion=True, confidence=True, slice_loss=0.0, accuracy=0.75, rare_class=False
):  # fmt: skip
    """Both models err independently; the challenger is right more often by `gain`, by `slice_loss` less in `rare`.

    rare_class: one label in fifty is a toad.
    """
    generator = np.random.default_rng(seed)
    gold = generator.choice(3, size=num_examples, p=[0.6, 0.38, 0.02] if rare_class else [1 / 3] * 3)
    rare = np.arange(num_examples) % 4 == 0
    chances = {"challenger": accuracy + gain - slice_loss * rare, "champion": np.full(num_examples, accuracy)}
    chances = {side: np.clip(chance, 0.01, 0.99) for side, chance in chances.items()}
    answers = {}
    for side, chance in chances.items():
        right = generator.random(num_examples) < chance
        given = np.where(right, gold, (gold + generator.integers(1, 3, size=num_examples)) % 3)
        outputs = [LABELS[one] for one in given]
        sure = chance if confidence else None
        answers[side] = Answers(outputs, right.astype(float), np.ones(num_examples), -np.log(chance), sure)
    return examples_frame(
        [f"e{at:05d}" for at in range(num_examples)],
        [LABELS[one] for one in gold],
        answers["challenger"],
        answers["champion"] if champion else None,
        {"kind": ["rare" if one else "common" for one in rare]},
    )


def translated(examples):
    """The labels become sentences of ten words; an answer that is wrong has two wrong words."""
    right, wrong = ("a b c d e f g h i j", "a b c d e x y h i j")
    sides = {
        side: pl.when(pl.col(side) == pl.col("gold")).then(pl.lit(right)).otherwise(pl.lit(wrong))
        for side in ("challenger", "champion")
    }
    return examples.with_columns(**sides).with_columns(gold=pl.lit(right))


def make_latency(ratio=1.0, num_pairs=60, noise=0.2, seed=0):
    generator = np.random.default_rng(seed)
    seconds = 0.01 * np.exp(generator.normal(scale=noise, size=(num_pairs, 2)))
    return pl.DataFrame({"challenger_seconds": seconds[:, 0] * ratio, "champion_seconds": seconds[:, 1]})


def make_variants(examples, noise_loss=0.0, gap=0.0, seed=0, kinds=KINDS, typical_loss=0.1, typical_gap=0.05):
    """Noise spoils right answers independently, of the challenger `noise_loss` more often; `gap` is its further gap.

    An answer changes with the identity terms as often as the probabilities change on average.
    """
    generator = np.random.default_rng(seed)
    frames = []
    for kind in kinds:
        columns = {}
        for side in ("challenger", "champion"):
            more = side == "challenger"
            chance = typical_gap + gap * more if kind == "identity" else typical_loss + noise_loss * more
            spoilt = generator.random(len(examples)) < chance
            moved = generator.exponential(chance, size=len(examples)) * generator.choice([-1, 1], size=len(examples))
            gold, given = pl.col("gold"), pl.col(side)
            wrong = pl.when(gold == LABELS[0]).then(pl.lit(LABELS[1])).otherwise(pl.lit(LABELS[0]))
            other = pl.when(given == gold).then(wrong).otherwise(gold if kind == "identity" else given)
            found = examples.select(pl.when(pl.Series(spoilt)).then(other).otherwise(given)).to_series()
            answered = examples[side].is_not_null()
            columns[side] = found.set(~answered, None)
            columns[f"{side}_score"] = (found == examples["gold"]).cast(pl.Float64)
            columns[f"{side}_confidence"] = (examples[f"{side}_confidence"] + pl.Series(moved)).clip(0.0, 1.0)
        frames.append(pl.DataFrame({"id": examples["id"], "kind": [kind] * len(examples)} | columns))
    return pl.concat(frames)


def make_evidence(facts=None, latency=1.0, noise_loss=0.0, gap=0.0, **examples):
    champion = examples.get("champion", True)
    timed = make_latency(latency) if champion and latency else None
    facts, answered = facts or make_facts(champion), make_examples(**examples)
    wanted = facts.policy.robustness or facts.policy.fairness
    return Evidence(facts, answered, timed, make_variants(answered, noise_loss, gap) if wanted else None)
