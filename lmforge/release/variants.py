"""The answers of both models to changed texts of a sample of the test set: the evidence on robustness and fairness.

A row an example and kind. A confidence is the probability that a model gives, for the changed text, to the answer that
it gave to the plain one, whatever it answers now. Plain answers stand with the examples. Texts are no part of this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lmforge.errors import IntegrityError
from lmforge.recipe.release import Release
from lmforge.release.identity import holds_term, swap_terms
from lmforge.release.noise import add_noise

IDENTITY = "identity"
_SIDES = ("challenger", "champion")
_SCHEMA = {"id": pl.String, "kind": pl.String} | {
    f"{side}{part}": kind
    for side in _SIDES
    for part, kind in (("", pl.String), ("_score", pl.Float64), ("_confidence", pl.Float64))
}


class Answering(Protocol):
    """A classifier: its labels, and `[len(texts), num_labels]` probabilities in their order."""

    labels: list[str]

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.floating[Any]]: ...


def answer_variants(
    challenger: Answering, champion: Answering | None, texts: pl.DataFrame, examples: pl.DataFrame, policy: Release,
    seed: int,
) -> pl.DataFrame | None:  # fmt: skip
    """What both classifiers answer to the changed texts, sorted by kind and id; None where the recipe wants neither.

    texts: columns `id` and `text` of the test set. examples: what both answered to the plain texts, see
    lmforge/release/examples.py. A score is 1 for a right answer and 0 for a wrong one.
    """
    if policy.robustness is None and policy.fairness is None:
        return None
    changed = changed_texts(texts, policy, seed).join(examples, on="id", how="left", maintain_order="left")
    columns: dict[str, Any] = {"id": changed["id"], "kind": changed["kind"]}
    for side, model in zip(_SIDES, (challenger, champion), strict=True):
        if model is None or not len(changed):
            continue
        probabilities = model.probabilities(changed["text"].to_list())
        given = [model.labels.index(label) for label in changed[side]]
        outputs = [model.labels[best] for best in probabilities.argmax(-1)]
        columns[side] = outputs
        columns[f"{side}_score"] = [float(one == gold) for one, gold in zip(outputs, changed["gold"], strict=True)]
        # Rounding may leave a float32 a trace above 1.
        columns[f"{side}_confidence"] = np.clip(probabilities[np.arange(len(given)), given].astype(np.float64), 0, 1)
    empty = [None] * len(changed)
    return pl.DataFrame({name: columns.get(name, empty) for name in _SCHEMA}, schema=_SCHEMA, strict=False)


def changed_texts(texts: pl.DataFrame, policy: Release, seed: int) -> pl.DataFrame:
    """Columns `id`, `kind`, `text`, sorted by kind and id; the order of the rows that are given does not matter.

    Each kind of noise has all of one sample. `identity` has a sample of the examples that hold a term.
    """
    rows: list[tuple[str, str, str]] = []
    text_of: dict[str, str] = dict(texts.select("id", "text").iter_rows())
    if (noise := policy.robustness) is not None:
        for one in draw(list(text_of), noise.num_examples, seed):
            for kind in noise.kinds:
                noisy = add_noise(text_of[one], kind, rate=noise.noise_rate, seed=seed, example_id=one)
                rows.append((one, kind, noisy))
    if (fair := policy.fairness) is not None:
        held = [one for one, text in text_of.items() if holds_term(text, fair.terms)]
        for one in draw(held, fair.num_examples, seed):
            rows.append((one, IDENTITY, swap_terms(text_of[one], fair.terms, seed=seed, example_id=one)))
    schema = {"id": pl.String, "kind": pl.String, "text": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row").sort("kind", "id")


def draw(ids: Sequence[str], number: int, seed: int) -> list[str]:
    """At most `number` of the ids: those whose hash with the seed is smallest, whatever their order."""
    keys = ((hashlib.sha256(f"{seed}\0{one}".encode("utf-8", "surrogatepass")).digest(), one) for one in ids)
    return [one for _, one in sorted(keys)[:number]]


def check_variants(frame: pl.DataFrame, examples: pl.DataFrame) -> None:
    """Raise IntegrityError unless each row is of one of the examples, once a kind, with what the models answered.

    Scores are finite, a confidence is missing or 0..1, and a champion answered if it answered the examples.
    """
    if dict(frame.schema) != _SCHEMA:
        raise IntegrityError(f"variants have columns {dict(frame.schema)}, expected {_SCHEMA}: evaluate both again")
    if repeated := len(frame) - frame.select("id", "kind").n_unique():
        raise IntegrityError(f"variants: {repeated} rows repeat an id and kind: evaluate both again")
    if strangers := len(frame.join(examples, on="id", how="anti")):
        raise IntegrityError(f"variants: {strangers} of {len(frame)} rows are of no test example: evaluate both again")
    alone = examples["champion_score"].null_count() == len(examples)
    for side in _SIDES[:1] if alone else _SIDES:
        finite = pl.col(f"{side}_score").is_finite().fill_null(False)
        confidence = pl.col(f"{side}_confidence").is_between(0.0, 1.0).fill_null(True)
        sound = frame.select(pl.all_horizontal(pl.col(side).is_not_null(), finite, confidence)).to_series()
        if broken := int((~sound).sum()):
            raise IntegrityError(
                f"variants: {broken} of {len(frame)} rows have an answer, score or confidence of the {side} that is "
                "missing or out of range: evaluate both again"
            )


def pair(variants: pl.DataFrame | None, kind: str, examples: pl.DataFrame) -> pl.DataFrame:
    """The examples that have a variant of a kind, sorted by id; what was answered to it in columns with `_changed`."""
    if variants is None:
        variants = pl.DataFrame(schema=_SCHEMA)
    answers = variants.filter(pl.col("kind") == kind).select("id", pl.exclude("id", "kind").name.suffix("_changed"))
    return examples.join(answers, on="id", how="inner").sort("id")
