"""Texts to token ids with the library `tokenizers`, the reference for every other way to do it.

The library uses one core unless the environment allows more; `all_cores` allows it for as long as it is entered, and
elsewhere it stays forbidden, because threads of the library do not survive a fork.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer as FastTokenizer

# Little-endian on every machine: blocks are read where they were not written.
DTYPE, WIDE = np.dtype("<u2"), np.dtype("<u4")
_ENCODINGS_AT_ONCE = 1_000
_IDS_AT_ONCE = 1 << 18
_PARALLELISM = "TOKENIZERS_PARALLELISM"


class Encoded(NamedTuple):
    """Ids of documents one after another, [num_tokens], and how many each has, int64 [num_documents].

    The ids are uint16, or uint32 of a vocabulary of more than 65,536 tokens.
    """

    ids: np.ndarray
    lengths: np.ndarray

    def occurrences(self, vocab_size: int) -> np.ndarray:
        """How often each id occurs, int64 [vocab_size]; raises ValueError for an id beyond."""
        counts = np.zeros(vocab_size, dtype=np.int64)
        # Some at a time: numpy counts 64-bit copies.
        for start in range(0, len(self.ids), _IDS_AT_ONCE):
            counts += np.bincount(self.ids[start : start + _IDS_AT_ONCE], minlength=vocab_size)
        return counts

    def select(self, documents: np.ndarray) -> Encoded:
        """The documents for which the mask, bool [num_documents], is true."""
        if documents.all():
            return self
        return Encoded(self.ids[np.repeat(documents, self.lengths)], self.lengths[documents])

    @classmethod
    def joined(cls, parts: Sequence[Encoded]) -> Encoded:
        """The documents of all parts, in order."""
        ids = [np.zeros(0, dtype=DTYPE), *(part.ids for part in parts)]
        lengths = [np.zeros(0, dtype=np.int64), *(part.lengths for part in parts)]
        return cls(np.concatenate(ids), np.concatenate(lengths))

    @classmethod
    def merged(cls, documents: np.ndarray, those: Encoded, others: Encoded) -> Encoded:
        """One row of documents again from `those` that a mask selects and the `others`."""
        lengths = np.empty(len(documents), dtype=np.int64)
        lengths[documents], lengths[~documents] = those.lengths, others.lengths
        tokens = np.repeat(documents, lengths)
        ids = np.empty(len(tokens), dtype=np.result_type(those.ids, others.ids))
        ids[tokens], ids[~tokens] = those.ids, others.ids
        return cls(ids, lengths)


def id_type(vocab_size: int) -> np.dtype[Any]:
    """The numbers that hold ids below `vocab_size`."""
    return DTYPE if vocab_size <= 1 << 16 else WIDE


def encode(tokenizer: FastTokenizer, texts: Sequence[str]) -> Encoded:
    """The ids of each text, framed as the tokenizer frames one."""
    batches = (texts[start : start + _ENCODINGS_AT_ONCE] for start in range(0, len(texts), _ENCODINGS_AT_ONCE))
    with all_cores():
        return Encoded.joined([_encode(tokenizer, batch) for batch in batches])


def differing(one: Encoded, other: Encoded) -> np.ndarray:
    """Numbers of the documents that two encodings of the same texts give different ids, ascending."""
    same = one.lengths == other.lengths
    unequal = one.select(same).ids != other.select(same).ids
    documents = np.repeat(np.flatnonzero(same), one.lengths[same])
    return np.union1d(np.flatnonzero(~same), documents[unequal])


@contextmanager
def all_cores() -> Iterator[None]:
    """Let `tokenizers` use all cores; what the environment said before holds again when the last thread is done."""
    with _lock:
        if not _entered:
            _before.append(os.environ.get(_PARALLELISM))
            os.environ[_PARALLELISM] = "true"
        _entered.append(threading.get_ident())
    try:
        yield
    finally:
        with _lock:
            _entered.pop()
            if not _entered:
                _restore(_before.pop())


# Units of a stage may run in threads of one process, and all of them share its environment.
_lock = threading.Lock()
_entered: list[int] = []
_before: list[str | None] = []


def _restore(value: str | None) -> None:
    if value is None:
        del os.environ[_PARALLELISM]
    else:
        os.environ[_PARALLELISM] = value


def _encode(tokenizer: FastTokenizer, texts: Sequence[str]) -> Encoded:
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(list(texts))]
    lengths = np.fromiter(map(len, ids), dtype=np.int64, count=len(ids))
    return Encoded(
        np.fromiter(chain.from_iterable(ids), dtype=id_type(tokenizer.get_vocab_size()), count=int(lengths.sum())),
        lengths,
    )
