"""The answers of a version and of the champion on one test set, a row an example: the evidence of every task kind.

A model's value is the sum of its scores over the sum of its weights, more being better. So accuracy is 0 or 1 with
weight 1, token accuracy right tokens with all tokens, entity F1 `2 tp` with `2 tp + fp + fn`, and bits per byte minus
the bits of a document with its bytes. Slice keys are the columns that begin with `slice_`. Without a champion its
columns are null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

import polars as pl

from lmforge.errors import IntegrityError

Side = Literal["challenger", "champion"]
SLICE = "slice_"
_NUMBERS = ("score", "weight", "loss", "confidence")
_SCHEMA = {"id": pl.String, "group": pl.String, "gold": pl.String} | {
    f"{side}{part}": kind
    for side in ("challenger", "champion")
    for part, kind in [("", pl.String), *((f"_{name}", pl.Float64) for name in _NUMBERS)]
}


class Answers(NamedTuple):
    """What one model answered, [num_examples] each; confidence: probability of the answer, where a model gives one."""

    outputs: Sequence[str]
    scores: Sequence[float]
    weights: Sequence[float]
    losses: Sequence[float]
    confidences: Sequence[float] | None = None


def examples_frame(
    ids: Sequence[str],
    gold: Sequence[str],
    challenger: Answers,
    champion: Answers | None,
    slices: Mapping[str, Sequence[str | None]],
    groups: Sequence[str] | None = None,
) -> pl.DataFrame:
    """The rows that a gate judges, sorted by id.

    groups: what is drawn together by a resample, such as the document of a sentence; by default each example alone.
    Raises IntegrityError for what `check_examples` refuses.
    """
    columns: dict[str, Sequence[object]] = {"id": ids, "group": groups or ids, "gold": gold}
    for side, answers in (("challenger", challenger), ("champion", champion)):
        empty = [None] * len(ids)
        columns[side] = answers.outputs if answers else empty
        for name, values in zip(_NUMBERS, answers[1:] if answers else [None] * len(_NUMBERS), strict=True):
            columns[f"{side}_{name}"] = empty if values is None else values
    columns |= {SLICE + name: values for name, values in slices.items()}
    schema = {name: _SCHEMA.get(name, pl.String) for name in columns}
    frame = pl.DataFrame(columns, schema=schema, strict=False).sort("id")
    check_examples(frame)
    return frame


def classification_examples(
    challenger: pl.DataFrame, champion: pl.DataFrame | None, slices: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Pair what `read_predictions` of two models returns; slices by length and by class come with it.

    slices: column `id` and a column a further slice key. Raises IntegrityError when the models did not answer the same
    examples with the same gold labels.
    """
    first = challenger.sort("id")
    second = None if champion is None else champion.sort("id")
    if second is not None and not first.select("id", "gold").equals(second.select("id", "gold")):
        raise IntegrityError(
            f"challenger ({len(first)} examples) and champion ({len(second)}) were not scored on the same test set: "
            "score the champion again on the challenger's test set"
        )
    keys = {"length": first["num_words_bucket"].to_list(), "class": first["gold"].to_list()}
    if slices is not None:
        joined = first.select("id").join(slices, on="id", how="left", maintain_order="left")
        keys |= {name: joined[name].cast(pl.String).to_list() for name in joined.columns if name != "id"}
    ids, gold = first["id"].to_list(), first["gold"].to_list()
    return examples_frame(ids, gold, _right_or_wrong(first), None if second is None else _right_or_wrong(second), keys)


def check_examples(frame: pl.DataFrame) -> None:
    """Raise IntegrityError unless ids are unique and both models have numbers that can be judged in each row.

    Scores, weights and losses are finite, weights not negative; a confidence is missing or 0..1.
    """
    fixed = {name: kind for name, kind in frame.schema.items() if not name.startswith(SLICE)}
    keys = {name: kind for name, kind in frame.schema.items() if name.startswith(SLICE) and kind != pl.String}
    if fixed != _SCHEMA or keys or not len(frame):
        found = f"{len(frame)} rows of {fixed | keys}"
        raise IntegrityError(f"examples have {found}, expected at least one row of {_SCHEMA} and slices as text")
    if frame["id"].n_unique() < len(frame):
        raise IntegrityError(f"{len(frame) - frame['id'].n_unique()} ids of examples repeat: pairing needs unique ids")
    alone = frame["champion_score"].null_count() == len(frame)
    for side in ("challenger",) if alone else ("challenger", "champion"):
        finite = (pl.col(f"{side}_{name}").is_finite().fill_null(False) for name in _NUMBERS[:3])
        confidence = pl.col(f"{side}_confidence").is_between(0.0, 1.0).fill_null(True)
        sound = pl.all_horizontal(pl.col(side).is_not_null(), *finite, pl.col(f"{side}_weight") >= 0, confidence)
        if broken := int((~frame.select(sound).to_series()).sum()):
            raise IntegrityError(
                f"{side}: {broken} of {len(frame)} examples have an answer, score, weight, loss or confidence that is "
                "missing or out of range: the model diverged or did not answer; evaluate it again"
            )


def _right_or_wrong(predictions: pl.DataFrame) -> Answers:
    right = (predictions["predicted"] == predictions["gold"]).cast(pl.Float64)
    return Answers(
        predictions["predicted"].to_list(),
        right.to_list(),
        [1.0] * len(predictions),
        predictions["loss"].to_list(),
        predictions["score"].to_list(),
    )
