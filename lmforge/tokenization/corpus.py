"""The stage `tokenize`: a tokenizer and blocks of both splits from a clean corpus."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lmforge.artifacts import Counts
from lmforge.recipe.schema import Tokenizer
from lmforge.text.records import scan
from lmforge.tokenization.packing import PackedSplit
from lmforge.tokenization.tokenizer import NUM_SPECIAL, train_tokenizer

SPLITS = ("train", "validation")


def tokenize(clean: Path, out: Path, settings: Tokenizer, block_length: int) -> tuple[Counts, dict[str, Any]]:
    """Write `tokenizer/`, `train.npy` and `validation.npy` to `out`; return block counts and facts for the suite."""
    sample = Texts(clean, "train", settings.max_training_documents)
    tokenizer = train_tokenizer(sample, settings, block_length, out / "tokenizer")
    vocab_size = tokenizer.get_vocab_size()
    packed = {
        split: PackedSplit(out / f"{split}.npy", vocab_size).pack(Texts(clean, split), tokenizer, block_length)
        for split in SPLITS
    }
    num_tokens = sum(split.num_tokens for split in packed.values())
    num_words = sum(split.num_words for split in packed.values())
    occurrences = np.sum([split.occurrences for split in packed.values()], axis=0)
    used = np.count_nonzero(occurrences[NUM_SPECIAL:])
    facts = {
        "num_train_blocks": packed["train"].num_blocks,
        "num_validation_blocks": packed["validation"].num_blocks,
        "block_length": block_length,
        "num_tokens": num_tokens,
        "num_words": num_words,
        "unknown_share": sum(split.num_unknown for split in packed.values()) / max(num_tokens, 1),
        "vocabulary_used_share": float(used) / (vocab_size - NUM_SPECIAL),
        "vocab_size": vocab_size,
        "max_token_id": int(np.flatnonzero(occurrences).max(initial=0)),
    }
    blocks = sum(split.num_blocks for split in packed.values())
    return Counts(read=blocks, kept=blocks, unit="blocks"), facts


@dataclass(frozen=True)
class Texts:
    """The documents of a split in order, read anew by every loop over them; with a limit, about so many of them."""

    clean: Path
    split: str
    limit: int | None = None

    def __iter__(self) -> Iterator[str]:
        import polars as pl

        rows = scan(self.clean).filter(pl.col("split") == self.split).select("text")
        if self.limit is not None:
            # Every n-th document, not the first ones: sources follow one another in a corpus.
            rows = rows.gather_every(max(1, -(-rows.select(pl.len()).collect().item() // self.limit)))
        for frame in rows.collect_batches(maintain_order=True):
            yield from frame["text"]
