"""Bounds on what changed since the last accepted run; on a first run they are reported as not compared."""

from __future__ import annotations

from typing import Any

from expectations.suite import bounded
from lmforge.recipe.thresholds import Thresholds

_DRIFTS = {
    "max_length_drift": ("length_drift", "drift of the text lengths (population stability index)"),
    "max_vocabulary_drift": ("vocabulary_drift", "drift of the vocabulary (Jensen-Shannon divergence)"),
    "max_language_drift": ("language_drift", "drift of the language mix (total variation)"),
    "max_label_drift": ("label_drift", "drift of the label mix (total variation)"),
    "max_prediction_drift": ("prediction_drift", "drift of the mix of answers (total variation)"),
    "max_fertility_drift": ("fertility_drift", "relative change of the tokens a word"),
}
# What the gate knows from the last accepted run stands in the summary as `then_` and the earlier name.
VOLUME = {"volume_ratio": "CAST(num_rows AS DOUBLE) / then_num_rows"}


def compared(key: str, unit: str, promises: Thresholds) -> tuple[dict[str, Any], ...]:
    """Return the bounds on the volume and on each drift that `promises` limits; `key` begins their recipe keys."""
    words = f"number of {unit}, as a multiple of the last accepted run's"
    low, high = promises.min_volume_ratio, promises.max_volume_ratio
    volume = (
        bounded("volume_ratio", words, minimum=low, key=key + "min_volume_ratio", compares=True),
        bounded("volume_ratio", words, maximum=high, key=key + "max_volume_ratio", compares=True),
    )
    drifts = tuple(
        bounded(column, text, maximum=getattr(promises, name), key=key + name, compares=True)
        for name, (column, text) in _DRIFTS.items()
        if hasattr(promises, name)
    )
    return volume + drifts
