"""Two models on one frozen test set, answered anew and compared example by example."""

from __future__ import annotations

from pathlib import Path

from lmforge.evaluation.classification import answer, read_labels
from lmforge.evaluation.intervals import PairedComparison, paired_bootstrap
from lmforge.evaluation.predictions import paired_ids, read_predictions


def compare_on_test_set(
    challenger: Path,
    champion: Path,
    labelled: Path,
    scratch: Path,
    *,
    metric: str,
    resamples: int,
    alpha: float,
    seed: int,
) -> PairedComparison:
    """Let the champion's model directory answer the test set and pair it with the challenger's stored predictions.

    challenger: directory of its predictions. Raises InputError when the champion knows other labels.
    """
    answer(champion, labelled, scratch)
    labels = read_labels(labelled)
    ids = paired_ids(read_predictions(challenger), read_predictions(scratch), labels)
    return paired_bootstrap(*ids, len(labels), metric, resamples=resamples, alpha=alpha, seed=seed)
