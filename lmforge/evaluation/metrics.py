"""Classification scores computed from counts, so that thousands of resamples cost a matrix product.

Macro-F1 averages over the labels that occur in gold or predictions, which is scikit-learn's default: a label that a
resample happens to miss altogether is 0/0 and left out instead of counted as 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmforge.errors import InputError

Ids = NDArray[np.integer[Any]]
Floats = NDArray[np.float64]


def classification_metrics(gold: Sequence[str], predicted: Sequence[str], labels: Sequence[str]) -> dict[str, Any]:
    """Score predictions against gold labels; the result is JSON-able.

    Keys: `accuracy`, `macro_f1` (both 0..1), `per_class` (a row a label: label, precision, recall, f1, support; an
    undefined ratio is 0), `confusion` (num_labels lists of num_labels counts, [gold][predicted]), `num_examples`.
    Raises InputError when lengths differ, there is no example, or a label is not in `labels`.
    """
    gold_ids, predicted_ids = label_ids(gold, labels), label_ids(predicted, labels)
    counts = _confusion(gold_ids, predicted_ids, len(labels))
    hits, golds, guesses = np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)
    precision, recall, f1 = _ratio(hits, guesses), _ratio(hits, golds), _ratio(2 * hits, golds + guesses)
    columns = zip(labels, precision, recall, f1, golds, strict=True)
    return {
        "num_examples": len(gold),
        "accuracy": float(score_counts("accuracy", hits, golds, guesses)),
        "macro_f1": float(score_counts("macro_f1", hits, golds, guesses)),
        "per_class": [
            {"label": label, "precision": float(p), "recall": float(r), "f1": float(f), "support": int(support)}
            for label, p, r, f, support in columns
        ],
        "confusion": counts.astype(int).tolist(),
    }


def label_ids(values: Sequence[str], labels: Sequence[str]) -> Ids:
    """Turn labels into their positions in `labels`, int64 [len(values)]; raises InputError at an unknown label."""
    index = {label: position for position, label in enumerate(labels)}
    # All unknown labels at once, before any id is made, so that the message can list them.
    unknown = sorted({value for value in values if value not in index})
    if unknown:
        raise InputError(f"labels {unknown[:5]!r} are not among the {len(labels)} labels of the task: {list(labels)!r}")
    return np.fromiter((index[value] for value in values), dtype=np.int64, count=len(values))


def metric_of(name: str) -> Callable[[Ids, Ids, int], float]:
    """Return the scorer `(gold ids, predicted ids, num_labels) -> 0..1` of `macro_f1` or `accuracy`."""
    if name not in _SCORES:
        raise InputError(f"unknown metric {name!r}: write one of {', '.join(_SCORES)}")
    return partial(_score_ids, name)


def score_counts(name: str, hits: Floats, golds: Floats, guesses: Floats) -> Floats:
    """Score counts per label, each [..., num_labels]: right answers, gold labels, answers; the result is [...]."""
    return _SCORES[name](hits, golds, guesses)


def _score_ids(name: str, gold: Ids, predicted: Ids, num_labels: int) -> float:
    counts = _confusion(gold, predicted, num_labels)
    return float(score_counts(name, np.diag(counts), counts.sum(axis=1), counts.sum(axis=0)))


def _confusion(gold: Ids, predicted: Ids, num_labels: int) -> Floats:
    if len(gold) != len(predicted) or not len(gold):
        raise InputError(f"{len(gold)} gold labels and {len(predicted)} predictions: give one of each per example")
    # One count over pairs numbered row by row is far faster than np.add.at on a matrix.
    cells = gold.astype(np.int64) * num_labels + predicted.astype(np.int64)
    counts = np.bincount(cells, minlength=num_labels**2).reshape(num_labels, num_labels)
    return counts.astype(np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _accuracy(hits: Floats, golds: Floats, guesses: Floats) -> Floats:
    return np.asarray(hits.sum(axis=-1) / golds.sum(axis=-1))


def _macro_f1(hits: Floats, golds: Floats, guesses: Floats) -> Floats:
    occurrences = golds + guesses
    return np.asarray(_ratio(2 * hits, occurrences).sum(axis=-1) / (occurrences > 0).sum(axis=-1))


_SCORES: Mapping[str, Callable[[Floats, Floats, Floats], Floats]] = {"macro_f1": _macro_f1, "accuracy": _accuracy}
