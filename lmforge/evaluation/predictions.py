"""The answers of one model on one test set, a row an example, in the file from which a verdict can be derived again.

Rows are sorted by id, so the bytes depend on the answers alone and two models pair up row by row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lmforge.errors import InputError, IntegrityError
from lmforge.evaluation.metrics import Ids, label_ids

PREDICTIONS = "predictions.parquet"
# Upper ends of the slices by length, in words; each spans a factor of four.
_LENGTHS = (16, 64, 256)
_SCHEMA = {
    "id": pl.String,
    "gold": pl.String,
    "predicted": pl.String,
    "score": pl.Float64,
    "loss": pl.Float64,
    "num_words_bucket": pl.String,
}


def write_predictions(
    directory: Path,
    *,
    ids: Sequence[str],
    gold: Sequence[str],
    predicted: Sequence[str],
    scores: NDArray[np.floating[Any]],
    losses: NDArray[np.floating[Any]],
    num_words: Sequence[int],
) -> Path:
    """Write `predictions.parquet` into `directory` and return its path.

    scores: probability of the predicted label, 0..1; losses: nats of the gold label; num_words: words of the text.
    Raises InputError when ids repeat, columns differ in length, or a score or loss is not a number.
    """
    lengths = [len(ids), len(gold), len(predicted), len(scores), len(losses), len(num_words)]
    if len(set(lengths)) > 1 or not lengths[0]:
        raise InputError(f"columns of predictions have {lengths} rows: give one row an example, and at least one")
    repeated = sorted(name for name, count in Counter(ids).items() if count > 1)
    if repeated:
        raise InputError(f"{len(repeated)} ids repeat, such as {repeated[:5]!r}: pairing two models needs unique ids")
    if not (np.isfinite(scores).all() and np.isfinite(losses).all()):
        raise InputError("a score or loss is not finite: the model diverged, so its answers are no evidence")
    # 64 bits, so that the file holds what was computed and not a rounding of it.
    buckets = [_bucket(words) for words in num_words]
    values = [ids, gold, predicted, np.asarray(scores, np.float64), np.asarray(losses, np.float64), buckets]
    frame = pl.DataFrame(dict(zip(_SCHEMA, values, strict=True)), schema=_SCHEMA).sort("id")
    path = directory / PREDICTIONS
    frame.write_parquet(path, compression="zstd")
    return path


def read_predictions(directory: Path) -> pl.DataFrame:
    """Read `predictions.parquet` of `directory`; raises IntegrityError when it is missing or has other columns."""
    path = directory / PREDICTIONS
    if not path.is_file():
        raise IntegrityError(f"{path} is missing: evaluate the model again")
    try:
        frame = pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise IntegrityError(f"{path} is not a Parquet file: {error}") from error
    if dict(frame.schema) != _SCHEMA:
        raise IntegrityError(f"{path} has columns {dict(frame.schema)}, expected {_SCHEMA}")
    return frame


def paired_ids(challenger: pl.DataFrame, champion: pl.DataFrame, labels: Sequence[str]) -> tuple[Ids, Ids, Ids]:
    """Label ids of gold, challenger and champion, each int64 [num_examples], in the order of the example ids.

    Raises IntegrityError when the two did not answer the same examples with the same gold labels.
    """
    # Sorted again, because frames may have been filtered or joined since they were read.
    first, second = challenger.sort("id"), champion.sort("id")
    if not first.select("id", "gold").equals(second.select("id", "gold")):
        raise IntegrityError(
            f"challenger ({len(first)} examples) and champion ({len(second)}) were not scored on the same test set: "
            "score the champion again on the challenger's test set"
        )
    gold, one, other = first["gold"].to_list(), first["predicted"].to_list(), second["predicted"].to_list()
    return label_ids(gold, labels), label_ids(one, labels), label_ids(other, labels)


def _bucket(num_words: int) -> str:
    """The slice of a length, such as `17-64`."""
    starts = (0, *(end + 1 for end in _LENGTHS))
    for start, end in zip(starts, _LENGTHS, strict=False):
        if num_words <= end:
            return f"{start}-{end}"
    return f"{starts[-1]}+"
