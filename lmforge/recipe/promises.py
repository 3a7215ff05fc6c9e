"""The promises that the data of each stage must keep: thresholds of the suites, by suite.

A threshold stops the run where it is broken, unless its name stands in `warn`. What compares with the last accepted
run warns by default: a change is a question, not yet a fault.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lmforge.recipe.base import Part, Positive, Share
from lmforge.recipe.model_promises import PredictionPromises, TokenizedPromises
from lmforge.recipe.thresholds import WARN, TextThresholds


class RawPromises(TextThresholds):
    """Thresholds of the suite `raw_corpus`."""

    min_documents: Positive = 100
    max_empty_share: Share = 0.05
    max_quarantine_share: Share = 0.05
    min_mean_words: float = 3.0
    max_mojibake_share: Share = Field(default=0.1, description="texts that were decoded wrongly")
    max_unlicensed_share: Share = Field(default=1.0, description="documents without a licence; 1 does not ask for it")
    warn: tuple[str, ...] = Field(
        default=(
            "max_volume_ratio",
            "max_length_drift",
            "max_vocabulary_drift",
            "max_repetitive_share",
            "max_mojibake_share",
        ),
        description=WARN,
    )


class CleanPromises(TextThresholds):
    """Thresholds of the suite `clean_corpus`."""

    min_documents: Positive = 100
    min_kept_share: Share = 0.2
    max_replacement_character_share: Share = 0.01
    max_duplicate_share: Share = 0.0
    max_control_character_share: Share = 0.0
    max_mojibake_share: Share = Field(default=0.01, description="texts that were decoded wrongly")
    max_personal_data_share: Share = Field(
        default=0.001, description="documents in which personal data is still to be recognised after masking"
    )
    max_repeated_lines_share: Share = Field(
        default=0.05, description="documents of which three tenths and more of the lines are repetitions"
    )
    max_undetermined_share: Share = Field(default=0.5, description="documents whose language could not be told")
    min_mean_words: float = 3.0
    max_p95_words: Positive = Field(default=20_000, description="95 % of the documents have at most so many words")
    max_at_cap_share: Share = Field(
        default=0.01, description="documents of exactly the largest allowed length: a sign that they were cut"
    )
    max_language_drift: Share = Field(
        default=0.1, description="share of documents whose language would have to change to give the earlier mix"
    )
    warn: tuple[str, ...] = Field(
        default=(
            "min_volume_ratio",
            "max_volume_ratio",
            "max_length_drift",
            "max_vocabulary_drift",
            "max_language_drift",
            "max_undetermined_share",
            "max_repeated_lines_share",
            "max_p95_words",
            "max_at_cap_share",
        ),
        description=WARN,
    )


class LabelledPromises(TextThresholds):
    """Thresholds of the suite `labelled_examples`."""

    min_train_examples: Positive = 20
    min_test_examples: Positive = 20
    min_examples_per_label: Positive = 2
    max_overlap_share: Share = Field(
        default=0.0, description="share of test texts that also stand in the training split"
    )
    max_majority_share: Share = 0.95
    max_mojibake_share: Share = Field(default=0.05, description="texts that were decoded wrongly")
    max_personal_data_share: Share = Field(
        default=0.001, description="examples in which personal data is still to be recognised after masking"
    )
    max_id_only_gain: Share = Field(
        default=0.2, description="share of the majority label's errors that the id alone avoids"
    )
    max_order_only_gain: Share = Field(
        default=0.2, description="share of the majority label's errors that the place in the file avoids"
    )
    max_single_token_gain: Share = Field(
        default=0.5, description="share of the majority label's errors that one token avoids"
    )
    max_label_drift: Share = Field(
        default=0.2, description="share of examples whose label would have to change to give the earlier mix"
    )
    warn: tuple[str, ...] = Field(
        default=(
            "min_volume_ratio",
            "max_volume_ratio",
            "max_length_drift",
            "max_vocabulary_drift",
            "max_label_drift",
            "max_repetitive_share",
            "max_mojibake_share",
            "max_id_only_gain",
            "max_order_only_gain",
            "max_single_token_gain",
        ),
        description=WARN,
    )


class Promises(Part):
    """Thresholds of all suites; a broken one stops the run or warns."""

    raw_corpus: RawPromises = RawPromises()
    clean_corpus: CleanPromises = CleanPromises()
    labelled_examples: LabelledPromises = LabelledPromises()
    tokenized_corpus: TokenizedPromises = TokenizedPromises()
    predictions: PredictionPromises = PredictionPromises()
    max_failing_rows: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default=1_000, description="rows that break a rule are written to failing_rows.jsonl, at most so many a rule"
    )
