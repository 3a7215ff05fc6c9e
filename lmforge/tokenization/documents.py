"""The documents of clean shards as a stage of tokenization needs them: all of a split in order, or a fair sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lmforge.text.records import scan
from lmforge.text.tables import read_frames
from lmforge.tokenization.characters import NUM_CODE_POINTS, count_characters


@dataclass(frozen=True)
class Texts:
    """The documents of a split in order, read anew by every loop over them; with a limit, about so many of them."""

    clean: Path
    split: str
    limit: int | None = None

    def __iter__(self) -> Iterator[str]:
        rows = scan(self.clean).filter(pl.col("split") == self.split).select("text")
        if self.limit is not None:
            # Every n-th document, not the first ones: sources follow one another in a corpus.
            rows = rows.gather_every(max(1, -(-self.num_documents() // self.limit)))
        for frame in rows.collect_batches(maintain_order=True):
            yield from frame["text"]

    def num_documents(self) -> int:
        """How many the split has, whatever the limit."""
        count: int = scan(self.clean).filter(pl.col("split") == self.split).select(pl.len()).collect().item()
        return count


def sample_shards(shards: Sequence[Path], num_texts: int, seed: int) -> tuple[list[str], np.ndarray]:
    """About `num_texts` documents drawn from all of the shards, and how often each code point stands in them all.

    Fewer documents only where there are fewer. The counts are those of `count_characters`.
    """
    rng = np.random.default_rng(seed)
    total = sum(pl.scan_parquet(path).select(pl.len()).collect().item() for path in shards)
    share = min(1.0, num_texts / max(total, 1))
    texts: list[str] = []
    counts = np.zeros(NUM_CODE_POINTS, dtype=np.int64)
    for path in shards:
        for frame in read_frames(path):
            counts += count_characters(frame["text"])
            rows = rng.choice(len(frame), size=int(np.ceil(share * len(frame))), replace=False)
            texts += frame["text"].gather(np.sort(rows)).to_list()
    return texts, counts
