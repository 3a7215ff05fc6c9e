"""The gate under bad input: nothing to judge, no one to judge it, and numbers that are none, all refuse."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from expectations.raw_corpus import raw_corpus
from expectations.suite import Suite, bounded
from expectations.tokenized_corpus import tokenized_corpus
from lmforge.errors import ContractError
from tasks.validation import validate

pytestmark = pytest.mark.timeout(120)
TEXTS = pl.DataFrame({"id": ["a", "b"], "text": ["one text", "two texts"], "source": ["s"] * 2, "line": [1, 2]})
BOUND = bounded("mean", "mean of a number", minimum=0, maximum=10)
NUMBERS = Suite(
    "numbers",
    "A reader can start.",
    columns={"number": "number"},
    summary={"mean": "AVG(number)"},
    expectations=(BOUND,),
)
PROMISES = raw_corpus(min_documents=1, min_mean_words=1)
FACTS = {"read": 2, "quarantined": 0, "num_words": 4, "repetitive_share": 0.0}


def refused(suite: Suite, frame: pl.DataFrame | None, report: Path, facts: dict[str, Any] | None = None) -> str:
    with pytest.raises(ContractError) as caught:
        validate(suite, None if frame is None else frame.lazy(), facts=facts, report=report)
    assert caught.value.exit_code == 3
    # The evidence is there although nothing is published.
    assert json.loads((report / "validation.json").read_text())["passed"] is False
    assert (report / "data_docs.html").is_file()
    return str(caught.value)


EMPTY = {
    "no expectations": (Suite("empty", "Nothing."), None, "has no expectations, so it cannot promise anything"),
    "no rows": (PROMISES, TEXTS.clear(), "number of rows: got 0, expected at least 1"),
    "an unknown column": (PROMISES, TEXTS.drop("text"), r"columns that are missing .* got 1 \(text is missing\)"),
    "a column of another type": (
        PROMISES,
        TEXTS.with_columns(text=pl.lit(3)),
        r"got 1 \(text is Int32, expected text\)",
    ),
    "only nulls": (PROMISES, TEXTS.with_columns(text=pl.lit(None, pl.String)), "documents without text: got 1"),
}


@pytest.mark.parametrize("case", EMPTY.values(), ids=EMPTY)
def test_what_would_pass_because_nothing_is_there_is_refused(
    tmp_path: Path, case: tuple[Suite, pl.DataFrame | None, str]
) -> None:
    suite, frame, says = case
    said = refused(suite, frame, tmp_path, FACTS)
    assert re.search(says, said), said


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e308, -1.0, None], ids=str)
def test_a_number_that_is_none_or_out_of_range_is_refused(tmp_path: Path, value: float | None) -> None:
    frame = pl.DataFrame({"number": [value]}, schema={"number": pl.Float64})
    said = refused(NUMBERS, frame, tmp_path)
    known = value is not None and math.isfinite(value)
    assert ("unknown (could not be computed)" in said) is not known
    assert "mean of a number: got" in said


TOKENS = {
    "num_train_blocks": 100, "num_validation_blocks": 10, "num_tokens": 9000, "num_words": 6000, "unknown_share": 0.0,
    "vocabulary_used_share": 1.0, "vocab_size": 500, "max_token_id": 499, "train_fill_rate": 1.0,
}  # fmt: skip
IMPOSSIBLE = {
    "an id beyond the vocabulary": (
        {"max_token_id": 500},
        "ids of the vocabulary above the largest id in the blocks: got -1",
    ),
    "a NaN share": ({"unknown_share": math.nan}, "share of unknown tokens: got unknown"),
    "a negative share": ({"unknown_share": -0.1}, "share of unknown tokens: got -0.1"),
    "an infinite number": ({"num_tokens": math.inf}, "number of tokens: got unknown"),
    "no words": ({"num_words": 0}, "mean tokens a word: got unknown"),
    "no blocks": ({"num_train_blocks": 0}, "number of training blocks: got 0"),
}


@pytest.mark.parametrize(("facts", "says"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_token_facts_that_cannot_be_are_refused(tmp_path: Path, facts: dict[str, float], says: str) -> None:
    assert says in refused(tokenized_corpus(), None, tmp_path, TOKENS | facts)


def test_the_same_facts_unspoilt_are_accepted(tmp_path: Path) -> None:
    assert validate(tokenized_corpus(), None, facts=TOKENS, report=tmp_path).passed
    assert validate(PROMISES, TEXTS.lazy(), facts=FACTS, report=tmp_path).passed
