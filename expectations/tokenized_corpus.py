"""The suite `tokenized_corpus`: what tokenizing promises to pre-training."""

from __future__ import annotations

from expectations.suite import Suite, bounded

KEY = "expectations.tokenized_corpus."


def tokenized_corpus(
    *,
    min_blocks: int = 8,
    max_unknown_share: float = 0.01,
    max_tokens_per_word: float = 4.0,
    min_vocabulary_used: float = 0.5,
) -> Suite:
    """Return the suite over the facts of the tokenize stage; it judges no table.

    Needs the facts num_train_blocks, num_validation_blocks, num_tokens, num_words, unknown_share,
    vocabulary_used_share, vocab_size and max_token_id.
    """
    return Suite(
        name="tokenized_corpus",
        promise="Pre-training can start: enough blocks, every id in the vocabulary, a vocabulary that fits.",
        ratios={
            "tokens_per_word": "CAST(num_tokens AS DOUBLE) / num_words",
            # An id beyond the vocabulary would read past the end of the embedding table.
            "num_ids_above_largest": "CAST(vocab_size AS BIGINT) - 1 - CAST(max_token_id AS BIGINT)",
        },
        expectations=(
            bounded("num_train_blocks", "number of training blocks", minimum=min_blocks, key=KEY + "min_blocks"),
            bounded("num_validation_blocks", "number of validation blocks", minimum=1, key="corpus.validation_share"),
            bounded("num_tokens", "number of tokens", minimum=1),
            bounded(
                "unknown_share",
                "share of unknown tokens",
                minimum=0,
                maximum=max_unknown_share,
                key=KEY + "max_unknown_share",
            ),
            bounded(
                "tokens_per_word",
                "mean tokens a word",
                minimum=0,
                maximum=max_tokens_per_word,
                key=KEY + "max_tokens_per_word",
            ),
            bounded(
                "vocabulary_used_share",
                "share of the vocabulary that occurs",
                minimum=min_vocabulary_used,
                maximum=1,
                key=KEY + "min_vocabulary_used",
            ),
            bounded("num_ids_above_largest", "ids of the vocabulary above the largest id in the blocks", minimum=0),
        ),
    )
