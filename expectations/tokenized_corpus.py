"""The suite `tokenized_corpus`: what tokenizing promises to pre-training."""

from __future__ import annotations

from typing import Any

from expectations.comparing import compared
from expectations.suite import Suite, bounded
from lmforge.recipe.model_promises import TokenizedPromises

KEY = "expectations.tokenized_corpus."


def tokenized_corpus(**thresholds: Any) -> Suite:
    """Return the suite over the facts of the tokenize stage; it judges no table. thresholds: `TokenizedPromises`.

    Needs the facts num_train_blocks, num_validation_blocks, num_tokens, num_words, unknown_share,
    vocabulary_used_share, vocab_size, max_token_id and train_fill_rate.
    """
    promises = TokenizedPromises(**thresholds)
    blocks = promises.min_blocks
    return Suite(
        name="tokenized_corpus",
        promise="Pre-training can start: enough blocks, every id in the vocabulary, a vocabulary that fits.",
        ratios={
            "tokens_per_word": "CAST(num_tokens AS DOUBLE) / num_words",
            # An id beyond the vocabulary would read past the end of the embedding table.
            "num_ids_above_largest": "CAST(vocab_size AS BIGINT) - 1 - CAST(max_token_id AS BIGINT)",
            "volume_ratio": "CAST(num_tokens AS DOUBLE) / then_num_tokens",
            "fertility_drift": "ABS(CAST(num_tokens AS DOUBLE) / num_words / then_tokens_per_word - 1)",
        },
        expectations=(
            bounded("num_train_blocks", "number of training blocks", minimum=blocks, key=KEY + "min_blocks"),
            bounded("num_validation_blocks", "number of validation blocks", minimum=1, key="corpus.validation_share"),
            bounded("num_tokens", "number of tokens", minimum=1),
            *_vocabulary(promises),
            bounded("num_ids_above_largest", "ids of the vocabulary above the largest id in the blocks", minimum=0),
            # What is padding costs as much time as text.
            bounded(
                "train_fill_rate", "filled share of rows", minimum=promises.min_fill_rate, key=KEY + "min_fill_rate"
            ),
            *compared(KEY, "tokens", promises),
        ),
        warn=promises.warn,
    )


def _vocabulary(promises: TokenizedPromises) -> tuple[dict[str, Any], ...]:
    unknown, fertility, used = promises.max_unknown_share, promises.max_tokens_per_word, promises.min_vocabulary_used
    occurring = "share of the vocabulary that occurs"
    return (
        bounded("unknown_share", "share of unknown tokens", minimum=0, maximum=unknown, key=KEY + "max_unknown_share"),
        bounded("tokens_per_word", "mean tokens a word", minimum=0, maximum=fertility, key=KEY + "max_tokens_per_word"),
        bounded("vocabulary_used_share", occurring, minimum=used, maximum=1, key=KEY + "min_vocabulary_used"),
    )
