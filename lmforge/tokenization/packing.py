"""Encode documents and pack them into blocks of equal length, as uint16 files that training memory-maps.

Documents follow one another as `[CLS] text [SEP]`; a block may begin inside a document. Nothing is padded: the last
incomplete block is dropped, so less than one block of tokens is lost a split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer as FastTokenizer

from lmforge.tokenization.tokenizer import UNK

BATCH_DOCUMENTS = 2000
DTYPE = np.uint16


class PackedSplit:
    """One split's blocks on disk and the counts that describe them."""

    def __init__(self, path: Path, vocab_size: int) -> None:
        assert vocab_size <= np.iinfo(DTYPE).max, "token ids would not fit into uint16"
        self.path = path
        self.num_blocks = self.num_tokens = self.num_words = 0
        self.occurrences = np.zeros(vocab_size, dtype=np.int64)

    def pack(self, texts: Iterable[str], tokenizer: FastTokenizer, block_length: int) -> PackedSplit:
        """Write `[num_blocks, block_length]` uint16 to the .npy file at `path`; memory stays flat."""
        raw = self.path.with_suffix(".raw")
        lengths = [np.zeros(1, dtype=np.int64)]
        with raw.open("wb") as file:
            for batch in _batches(texts):
                ids, documents = _encode(tokenizer, batch)
                lengths.append(documents)
                self.num_words += sum(len(text.split()) for text in batch)
                self.num_tokens += len(ids)
                self.occurrences += np.bincount(ids, minlength=len(self.occurrences))
                ids.astype(DTYPE).tofile(file)
        self.num_blocks = self.num_tokens // block_length
        blocks = np.lib.format.open_memmap(self.path, mode="w+", dtype=DTYPE, shape=(self.num_blocks, block_length))
        if self.num_blocks:
            tokens = np.memmap(raw, dtype=DTYPE, mode="r", shape=(self.num_tokens,))
            blocks.reshape(-1)[:] = tokens[: self.num_blocks * block_length]
            blocks.flush()
        raw.unlink()
        ends = np.concatenate(lengths).cumsum()
        np.save(document_file(self.path), ends[ends <= self.num_blocks * block_length])
        return self

    @property
    def num_unknown(self) -> int:
        return int(self.occurrences[UNK])


def document_file(blocks: Path) -> Path:
    """Beside a file of blocks: where documents begin and end in its stream of tokens, int64 [num_documents + 1]."""
    return blocks.with_name(f"{blocks.stem}_documents.npy")


def read_blocks(path: Path) -> np.ndarray:
    """Memory-map blocks: `[num_blocks, block_length]` uint16."""
    blocks: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    return blocks


def _batches(texts: Iterable[str]) -> Iterator[list[str]]:
    iterator = iter(texts)
    while batch := list(islice(iterator, BATCH_DOCUMENTS)):
        yield batch


def _encode(tokenizer: FastTokenizer, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """All ids of the texts in a row, and how many each text has."""
    encoded = [np.asarray(one.ids, dtype=np.int64) for one in tokenizer.encode_batch_fast(texts)]
    return np.concatenate(encoded), np.array([len(ids) for ids in encoded])
