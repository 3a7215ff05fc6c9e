"""Which answers a version changed: counts, the examples that changed most, and what it takes for what.

The evidence holds no text of the examples, but an id, a label or an answer may be text of the data: one that holds
personal data or a secret is not shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from lmforge.release.evidence import Facts
from lmforge.release.examples import Side
from lmforge.reporting.excerpts import EXCERPT_CHARACTERS, UNSHOWN, holds_private, presentable
from lmforge.wording import shown

NUM_SHOWN = 10
# More cells than these are not read as a table.
MAX_LABELS, NUM_MIXED_UP = 12, 20
_LABELLED = ("accuracy", "macro_f1")
_KEPT = (
    "id", "gold", "challenger", "champion", "challenger_score", "champion_score", "challenger_loss", "champion_loss",
    "challenger_confidence", "champion_confidence",
)  # fmt: skip


def changed_examples(examples: pl.DataFrame) -> dict[str, Any]:
    """How many examples got `better`, `worse`, another answer of the same score, or stayed, and the first of them.

    The largest difference of the scores comes first, then that of the losses. Without a champion there is only
    `hardest`: the examples with the largest losses.
    """
    if examples["champion_score"].null_count() == len(examples):
        worst = examples.sort([-pl.col("challenger_loss"), pl.col("id")]).head(NUM_SHOWN)
        return {"hardest": _rows(worst)}
    rates = [_rate(side) for side in ("challenger", "champion")]
    known = examples.with_columns(
        (rates[0] - rates[1]).alias("change"),
        (pl.col("champion_loss") - pl.col("challenger_loss")).alias("relief"),
    )
    better, worse = known.filter(pl.col("change") > 0), known.filter(pl.col("change") < 0)
    same = known.filter(pl.col("change") == 0)
    other = int((same["challenger"] != same["champion"]).sum())
    return {
        "num_better": len(better),
        "num_worse": len(worse),
        "num_other": other,
        "num_same": len(same) - other,
        "better": _rows(better.sort([-pl.col("change"), -pl.col("relief"), pl.col("id")]).head(NUM_SHOWN)),
        "worse": _rows(worse.sort([pl.col("change"), pl.col("relief"), pl.col("id")]).head(NUM_SHOWN)),
    }


def confusion(examples: pl.DataFrame, facts: Facts) -> dict[str, Any] | None:
    """Counts of (gold, answer) of both models, and the pairs that are mixed up most; None where answers are no labels.

    `matrices` by model, [num_labels, num_labels] with a row a gold label, are there for at most 12 labels.
    """
    if facts.metric not in _LABELLED:
        return None
    sides: tuple[Side, ...] = ("challenger",) if facts.champion is None else ("challenger", "champion")
    answered = {one for column in ("gold", *sides) for one in examples[column].unique()}
    labels = [*facts.labels, *sorted(answered - set(facts.labels))]
    counts = {side: _counts(examples, side) for side in sides}
    few = len(labels) <= MAX_LABELS
    return {
        "labels": presentable(labels),
        "matrices": {
            side: [[found.get((gold, answer), 0) for answer in labels] for gold in labels]
            for side, found in counts.items()
            if few
        },
        "mixed_up": _mixed_up(counts),
    }


def _counts(examples: pl.DataFrame, side: Side) -> dict[tuple[str, str], int]:
    rows = examples.group_by("gold", side).len().iter_rows()
    return {(gold, answer): number for gold, answer, number in rows}


def _mixed_up(counts: Mapping[Side, Mapping[tuple[str, str], int]]) -> list[dict[str, Any]]:
    pairs = {pair for found in counts.values() for pair in found if pair[0] != pair[1]}
    first, *others = counts.values()
    ordered = sorted(pairs, key=lambda pair: (-max(found.get(pair, 0) for found in counts.values()), pair))
    shown_pairs = ordered[:NUM_MIXED_UP]
    golds, answers = (presentable([pair[at] for pair in shown_pairs]) for at in (0, 1))
    return [
        {
            "gold": gold,
            "answer": answer,
            "challenger": first.get(pair, 0),
            "champion": others[0].get(pair, 0) if others else None,
        }
        for pair, gold, answer in zip(shown_pairs, golds, answers, strict=True)
    ]


def _rate(side: Side) -> pl.Expr:
    score, weight = pl.col(f"{side}_score"), pl.col(f"{side}_weight")
    return pl.when(weight > 0).then(score / weight).otherwise(0.0)


def _rows(examples: pl.DataFrame) -> list[dict[str, Any]]:
    rows = examples.select(_KEPT).to_dicts()
    for name in _KEPT[:4]:
        for row, text in zip(rows, _fit([row[name] for row in rows]), strict=True):
            row[name] = text
    return rows


def _fit(texts: Sequence[str | None]) -> list[str | None]:
    return [
        None if text is None else UNSHOWN if holds_private([text]) else shown(text, EXCERPT_CHARACTERS)
        for text in texts
    ]
