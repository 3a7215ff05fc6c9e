"""How far labels can be told without understanding a text: by its id, by its place in the file, by one token.

Each rule is learned on training examples and scored on validation examples, so a large number of ids or tokens cannot
look like a leak by chance. A high gain is a question, not yet a fault: one word may well decide an easy task.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import polars as pl

from lmforge.text.splitting import Example
from lmforge.wording import shown

# A leak shows in a sample of this size; the table of tokens stays below a gigabyte.
_MAX_EXAMPLES = 10_000
# Where a label is written, it is written first or last, as in "label: 3".
_HEAD_CHARS, _TAIL_CHARS = 1_000, 200
# A rule about fewer examples than these, or than a hundredth, gains nothing that matters.
_MIN_EXAMPLES = 5
_NUM_FALLBACKS = 20
_NUM_ERRORS = 3
_EXAMPLES_A_BIN, _MAX_BINS = 20, 50
_DIGITS = re.compile(r"(\d+)")
_ENDS: tuple[Literal["first", "last"], ...] = ("first", "last")


class _Rule(NamedTuple):
    """A label for each value of one feature, and one for the examples without it."""

    feature: str
    answers: dict[str, str]
    otherwise: str


def leak_facts(train: Sequence[Example], validation: Sequence[Example]) -> dict[str, Any]:
    """`id_only_gain`, `order_only_gain`, `single_token_gain` and `single_token`, the rule with that gain.

    A gain is the share of the majority label's errors on validation examples that the rule avoids, in [0, 1] (lambda of
    Goodman and Kruskal 1954, on held-out examples); one that three standard errors explain counts as 0. Rules are those
    of Holte 1993 (1R): one feature, the commonest label for each of its values. Features are the order of ids and
    their form (digits aside), the place among the examples, and for tokens: that one stands in the text, which one
    follows it, which is first or last. An id made of file and line says no more than the order, so it is not asked.
    """
    train, validation = _thinned(train), _thinned(validation)
    labels = pl.Series([one.label for one in train], dtype=pl.String)
    gold = [one.label for one in validation]
    by_id = (_ids, _forms) if _has_ids(train) else ()
    by_name = max((_scored(*make(train, validation), labels, gold)[0] for make in by_id), default=0.0)
    by_place, _ = _scored(*_places(train, validation), labels, gold)
    by_token, token = _scored(*_tokens(train, validation), labels, gold)
    return {
        "id_only_gain": round(by_name, 4),
        "order_only_gain": round(by_place, 4),
        "single_token_gain": round(by_token, 4),
        "single_token": shown(token),
    }


def _thinned(examples: Sequence[Example]) -> list[Example]:
    """Evenly spaced examples, so that all of a sorted file is there."""
    chosen = np.linspace(0, len(examples) - 1, min(len(examples), _MAX_EXAMPLES)).astype(int)
    return [examples[index] for index in chosen.tolist()]


def _scored(learning: pl.DataFrame, asked: pl.DataFrame, labels: pl.Series, gold: Sequence[str]) -> tuple[float, str]:
    rule = _learned(learning, labels)
    if rule is None or not gold:
        return 0.0, ""
    floor = _commonest(Counter(labels.to_list()))
    values = dict(asked.filter(pl.col("feature") == rule.feature).select("row", "value").iter_rows())
    mended = broken = 0
    for row, label in enumerate(gold):
        answer = rule.answers.get(values.get(row, ""), rule.otherwise)
        mended += answer == label != floor
        broken += floor == label != answer
    # As McNemar 1947 compares two answers to the same questions.
    if mended - broken <= _NUM_ERRORS * (mended + broken) ** 0.5:
        return 0.0, ""
    return (mended - broken) / sum(label != floor for label in gold), rule.feature


def _learned(table: pl.DataFrame, labels: pl.Series) -> _Rule | None:
    """The feature whose rule answers the most training examples; ties go to the first by name."""
    fewest = max(_MIN_EXAMPLES, len(labels) // 100)
    frequent = table.group_by("feature").len().filter(pl.col("len") >= fewest)
    known = table.join(frequent.select("feature"), on="feature", how="semi")
    if known.is_empty():
        return None
    counts = known.with_columns(label=labels.gather(known["row"])).group_by("feature", "value", "label").len()
    ordered = counts.sort("feature", "value", "len", "label", descending=[False, False, True, False])
    answers = ordered.unique(["feature", "value"], keep="first", maintain_order=True)
    # A value costs the example that it was learned from, so thousands of values seen once teach nothing.
    right = answers.group_by("feature").agg(right=(pl.col("len").cast(pl.Int64) - 1).sum())
    others = _others(counts, labels)
    best = right.join(others, on="feature").sort(pl.col("right") + pl.col("rest"), "feature", descending=[True, False])
    feature = str(best["feature"][0])
    learned = answers.filter(pl.col("feature") == feature)
    return _Rule(feature, dict(learned.select("value", "label").iter_rows()), str(best["label"][0]))


def _others(counts: pl.DataFrame, labels: pl.Series) -> pl.DataFrame:
    """For each feature the commonest label of the examples without it, and how many of them (`rest`) have it."""
    # Rarer labels than these are hardly ever the answer, and all of them would be a column of their own.
    common = sorted(Counter(labels.to_list()).items(), key=lambda one: (-one[1], one[0]))[:_NUM_FALLBACKS]
    totals = pl.DataFrame(common, schema={"label": pl.String, "total": pl.Int64}, orient="row")
    held = counts.group_by("feature", "label").agg(pl.col("len").sum())
    grid = held.select(pl.col("feature").unique()).join(totals, how="cross")
    rest = pl.col("total") - pl.col("len").cast(pl.Int64).fill_null(0)
    ordered = (
        grid.join(held, on=["feature", "label"], how="left")
        .select("feature", "label", rest=rest)
        .sort("feature", "rest", "label", descending=[False, True, False])
    )
    return ordered.unique("feature", keep="first", maintain_order=True)


def _commonest(counter: Counter[str]) -> str:
    return min(counter, key=lambda label: (-counter[label], label))


def _has_ids(examples: Sequence[Example]) -> bool:
    return any(one.id != f"{one.source}:{one.line}" for one in examples)


def _places(train: Sequence[Example], validation: Sequence[Example]) -> tuple[pl.DataFrame, pl.DataFrame]:
    if train and train[0].split is None:
        return _binned("place", *([(one.source, one.line) for one in part] for part in (train, validation)))
    # Given files are each ordered alike or not at all, so what counts is how far down an example stands.
    return _binned("place", *([index / len(part) for index in range(len(part))] for part in (train, validation)))


def _ids(train: Sequence[Example], validation: Sequence[Example]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return _binned("order of ids", *([_natural(one.id) for one in part] for part in (train, validation)))


def _binned(feature: str, train: Sequence[Any], validation: Sequence[Any]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Bins of equally many training values, at least twenty."""
    ordered = sorted(train)
    num_bins = min(_MAX_BINS, max(1, len(train) // _EXAMPLES_A_BIN))
    edges = [ordered[len(ordered) * number // num_bins] for number in range(1, num_bins)]
    learning, asked = (_table(feature, [bisect_right(edges, value) for value in part]) for part in (train, validation))
    return learning, asked


def _forms(train: Sequence[Example], validation: Sequence[Example]) -> tuple[pl.DataFrame, pl.DataFrame]:
    pair = [[_DIGITS.sub("0", one.id) for one in part] for part in (train, validation)]
    return _table("form of ids", pair[0]), _table("form of ids", pair[1])


def _natural(name: str) -> tuple[tuple[int, str], ...]:
    """Sorts `a9` before `a10`; numbers by length and digits, as an int of any length cannot be made."""
    parts = _DIGITS.split(name)
    return tuple(
        (len(part.lstrip("0")), part.lstrip("0")) if index % 2 else (0, part) for index, part in enumerate(parts)
    )


def _table(feature: str, values: Sequence[object]) -> pl.DataFrame:
    rows = pl.int_range(len(values), dtype=pl.UInt32, eager=True)
    return pl.DataFrame({"row": rows, "value": pl.Series([str(value) for value in values], dtype=pl.String)}).select(
        "row", pl.lit(feature).alias("feature"), "value"
    )


def _tokens(train: Sequence[Example], validation: Sequence[Example]) -> tuple[pl.DataFrame, pl.DataFrame]:
    return _token_table(train), _token_table(validation)


def _token_table(examples: Sequence[Example]) -> pl.DataFrame:
    """One row a feature that an example has: its tokens, what follows each, the first and the last."""
    text = pl.col("text")
    ends = pl.concat_str(text.str.head(_HEAD_CHARS), pl.lit("\n"), text.str.tail(_TAIL_CHARS))
    cut = pl.when(text.str.len_chars() > _HEAD_CHARS + _TAIL_CHARS).then(ends).otherwise(text)
    texts = pl.DataFrame({"text": pl.Series([one.text for one in examples], dtype=pl.String)})
    found = texts.select(cut.str.to_lowercase().str.extract_all(r"\w+").alias("token")).with_row_index("row")
    words = found.explode("token").drop_nulls()
    after = words.with_columns(next=pl.col("token").shift(-1).over("row"))
    first = after.unique(["row", "token"], keep="first", maintain_order=True)
    quoted = pl.concat_str(pl.lit("'"), "token", pl.lit("'"))
    parts = [
        first.select("row", quoted.alias("feature"), pl.lit("there").alias("value")),
        first.drop_nulls("next").select("row", ("after " + quoted).alias("feature"), pl.col("next").alias("value")),
        *(
            words.unique("row", keep=keep, maintain_order=True).select(
                "row", pl.lit(keep).alias("feature"), pl.col("token").alias("value")
            )
            for keep in _ENDS
        ),
    ]
    return pl.concat(parts)
