"""Batches as a pure function of (seed, step), so that resuming anywhere is a matter of starting to count there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch.utils.data import IterableDataset

from lmforge.errors import InputError
from lmforge.recipe.optimization import Pretraining
from lmforge.tokenization.packing import document_file, read_blocks
from lmforge.tokenization.tokenizer import load_tokenizer
from models.objectives import Batch, Objective
from models.objectives.sequence_classification import Example

# Batches are cut from pools of this many batches that are sorted by length: longer pools pad less, shorter mix more.
POOL_BATCHES = 50
VALIDATION_SEED = 0
# Halves of fewer tokens say too little to be told apart.
MIN_DOCUMENT_TOKENS = 16
# Objectives that learn from documents and not from blocks, and how many rows of a batch a document gives.
_ROWS_OF_DOCUMENT = {"contrastive_masked_lm": 2, "next_sentence": 1, "sentence_order": 1}


class Rows(Protocol):
    """Training rows: how many, how long each, and a selection of them."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> np.ndarray | None:
        """Tokens of each row, or None when all are equal."""
        ...

    def take(self, indices: np.ndarray) -> Any:
        """The rows at `indices`, in the form that the objective collates."""
        ...


class BlockRows:
    """Memory-mapped token blocks."""

    lengths = None

    def __init__(self, path: Path, tokenizer: Path | None = None) -> None:
        self.blocks = read_blocks(path, tokenizer)
        if len(self.blocks) == 0:
            raise InputError(f"{path}: no block in it; add text, or shorten pretraining.max_seq_length")

    def __len__(self) -> int:
        return len(self.blocks)

    def take(self, indices: np.ndarray) -> np.ndarray:
        return np.asarray(self.blocks[np.sort(indices)])


class DocumentRows:
    """Whole documents in the stream of token blocks, without their special tokens; very short ones are left out."""

    def __init__(self, path: Path, max_length: int, tokenizer: Path | None = None) -> None:
        self.tokens = read_blocks(path, tokenizer).reshape(-1)
        ends = np.load(document_file(path), allow_pickle=False)
        self.starts, self.stops = ends[:-1] + 1, ends[1:] - 1  # without [CLS] and [SEP]
        long_enough = self.stops - self.starts >= MIN_DOCUMENT_TOKENS
        self.starts, self.stops = self.starts[long_enough], self.stops[long_enough]
        if len(self.starts) == 0:
            raise InputError(f"{path}: no document of {MIN_DOCUMENT_TOKENS} tokens in it; add longer texts")
        self.lengths = np.minimum(self.stops - self.starts, max_length)

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, indices: np.ndarray) -> list[np.ndarray]:
        return [np.asarray(self.tokens[self.starts[index] : self.stops[index]], dtype=np.int64) for index in indices]


class ExampleRows:
    """Labelled texts of a Parquet file, encoded once and cut at `max_seq_length`."""

    def __init__(self, path: Path, tokenizer_dir: Path, labels: Sequence[str], max_seq_length: int) -> None:
        import pyarrow.parquet as pq
        from datasets import Dataset

        index = {label: number for number, label in enumerate(labels)}
        # Dataset.from_parquet would leave a copy in the cache directory.
        table = Dataset(pq.read_table(path, columns=["text", "label"]))
        if not len(table):
            raise InputError(f"{path}: no example in it; add labelled data")
        if unknown := sorted(set(table["label"]) - set(labels)):
            raise InputError(f"{path}: labels {unknown} are not among {list(labels)}")
        tokenizer = load_tokenizer(tokenizer_dir)
        tokenizer.enable_truncation(max_seq_length)
        encoded = tokenizer.encode_batch_fast(list(table["text"]))
        self.examples = [
            Example(np.asarray(one.ids, dtype=np.int64), index[label])
            for one, label in zip(encoded, table["label"], strict=True)
        ]
        self.lengths = np.array([len(example.input_ids) for example in self.examples])

    def __len__(self) -> int:
        return len(self.examples)

    def take(self, indices: np.ndarray) -> list[Example]:
        return [self.examples[index] for index in indices]


def language_rows(settings: Pretraining, path: Path, tokenizer: Path) -> Rows:
    """The rows that a pre-training objective learns from, of one split's blocks.

    Raises InputError for blocks that another tokenizer made.
    """
    if settings.objective in _ROWS_OF_DOCUMENT:
        return DocumentRows(path, _ROWS_OF_DOCUMENT[settings.objective] * settings.max_seq_length, tokenizer)
    return BlockRows(path, tokenizer)


def epoch_batches(rows: Rows, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """Row indices of each batch of an epoch. Rows of unequal length are batched with others about as long.

    Every row comes once an epoch, but for an incomplete last batch of equal-length rows.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(rows))
    if rows.lengths is None:
        whole = max(1, len(rows) // batch_size)
        return [order[number * batch_size : (number + 1) * batch_size] for number in range(whole)]
    batches: list[np.ndarray] = []
    for start in range(0, len(order), batch_size * POOL_BATCHES):
        pool = order[start : start + batch_size * POOL_BATCHES]
        pool = pool[np.argsort(rows.lengths[pool], kind="stable")]
        batches += [pool[at : at + batch_size] for at in range(0, len(pool), batch_size)]
    return [batches[number] for number in rng.permutation(len(batches))]


class TrainingBatches(IterableDataset[Batch]):
    """The batches of the steps from `start_step` to `max_steps`, as one epoch without a length.

    `start_step` is given and not set later: Lightning fetches the first batch before any hook of a callback runs.
    """

    def __init__(
        self, rows: Rows, objective: Objective, *, batch_size: int, max_steps: int, seed: int, start_step: int = 0
    ) -> None:
        self.rows, self.objective = rows, objective
        self.max_steps, self.seed, self.start_step = max_steps, seed, start_step
        self.per_epoch = len(epoch_batches(rows, batch_size, seed, 0))
        self._epoch: Callable[[int], list[np.ndarray]] = lru_cache(maxsize=1)(
            lambda epoch: epoch_batches(rows, batch_size, seed, epoch)
        )

    def __iter__(self) -> Iterator[Batch]:
        return (self.batch(step) for step in range(self.start_step, self.max_steps))

    def batch(self, step: int) -> Batch:
        """The batch of one step."""
        epoch, number = divmod(step, self.per_epoch)
        return self.objective.collate(
            self.rows.take(self._epoch(epoch)[number]), np.random.default_rng([self.seed, step])
        )


class ValidationBatches(IterableDataset[Batch]):
    """The same batches at every validation, masks included."""

    def __init__(self, rows: Rows, objective: Objective, batch_size: int) -> None:
        self.rows, self.objective, self.batch_size = rows, objective, batch_size

    def __iter__(self) -> Iterator[Batch]:
        order = np.arange(len(self.rows))
        if self.rows.lengths is not None:
            order = np.argsort(self.rows.lengths, kind="stable")
        for number, start in enumerate(range(0, len(order), self.batch_size)):
            rows = self.rows.take(order[start : start + self.batch_size])
            yield self.objective.collate(rows, np.random.default_rng([VALIDATION_SEED, number]))
