"""The promises of what is computed from text: thresholds of the suites over tokens and over predictions."""

from __future__ import annotations

from pydantic import Field

from lmforge.recipe.base import Positive, Share
from lmforge.recipe.thresholds import WARN, Ratio, Thresholds


class TokenizedPromises(Thresholds):
    """Thresholds of the suite `tokenized_corpus`."""

    min_blocks: Positive = 8
    max_unknown_share: Share = 0.01
    max_tokens_per_word: float = Field(default=4.0, gt=0)
    min_vocabulary_used: Share = Field(default=0.5, description="share of the vocabulary that occurs in the corpus")
    min_fill_rate: Share = Field(
        default=0.9, description="share of the tokens in packed training rows that is text and not padding"
    )
    max_fertility_drift: Ratio = Field(
        default=0.2, description="relative change of the tokens a word against the last accepted run"
    )
    warn: tuple[str, ...] = Field(
        default=("min_volume_ratio", "max_volume_ratio", "max_fertility_drift", "min_fill_rate"), description=WARN
    )


class PredictionPromises(Thresholds):
    """Thresholds of the suite `predictions`."""

    min_predicted_labels: Positive = Field(
        default=2, description="different labels that the model answers; one is a constant answer"
    )
    max_label_shift: Share = Field(
        default=0.3, description="share of answers that would have to change to give the mix of the true labels"
    )
    max_prediction_drift: Share = Field(
        default=0.2, description="share of answers that would have to change to give the mix of the last accepted run"
    )
    warn: tuple[str, ...] = Field(
        default=(
            "min_volume_ratio",
            "max_volume_ratio",
            "min_predicted_labels",
            "max_label_shift",
            "max_prediction_drift",
        ),
        description=WARN,
    )
