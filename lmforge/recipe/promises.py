"""The promises that the data of each stage must keep: thresholds of the suites, by suite."""

from __future__ import annotations

from pydantic import Field

from lmforge.recipe.base import Part, Positive, Share


class RawPromises(Part):
    """Thresholds of the suite `raw_corpus`."""

    min_documents: Positive = 100
    max_empty_share: Share = 0.05
    max_quarantine_share: Share = 0.05
    min_mean_words: float = 3.0


class CleanPromises(Part):
    """Thresholds of the suite `clean_corpus`."""

    min_documents: Positive = 100
    min_kept_share: Share = 0.2
    max_replacement_character_share: Share = 0.01
    max_duplicate_share: Share = 0.0
    max_control_character_share: Share = 0.0


class LabelledPromises(Part):
    """Thresholds of the suite `labelled_examples`."""

    min_train_examples: Positive = 20
    min_test_examples: Positive = 20
    min_examples_per_label: Positive = 2
    max_overlap_share: Share = Field(
        default=0.0, description="share of test texts that also stand in the training split"
    )
    max_majority_share: Share = 0.95


class TokenizedPromises(Part):
    """Thresholds of the suite `tokenized_corpus`."""

    min_blocks: Positive = 8
    max_unknown_share: Share = 0.01
    max_tokens_per_word: float = Field(default=4.0, gt=0)
    min_vocabulary_used: Share = Field(default=0.5, description="share of the vocabulary that occurs in the corpus")


class Promises(Part):
    """Thresholds of all suites; a broken one stops the run."""

    raw_corpus: RawPromises = RawPromises()
    clean_corpus: CleanPromises = CleanPromises()
    labelled_examples: LabelledPromises = LabelledPromises()
    tokenized_corpus: TokenizedPromises = TokenizedPromises()
