"""What a training run learns from, a row at a time: pieces of documents, whole documents, labelled texts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from lmforge.errors import InputError
from lmforge.recipe.optimization import PACKED, Pretraining
from lmforge.tokenization.packing import document_file, read_blocks
from lmforge.tokenization.roles import roles_of
from lmforge.tokenization.tokenizer import load_tokenizer
from lmforge.training.packed_rows import PackedRows, PieceRows
from models.objectives.sequence_classification import Example

# Halves of fewer tokens say too little to be told apart.
MIN_DOCUMENT_TOKENS = 16
# Objectives that learn from whole documents: how many rows of a batch one gives, and the special tokens that frame them
# (of two halves the longer one counts twice).
_ROWS_OF_DOCUMENT = {"contrastive_masked_lm": (2, 5), "next_sentence": (1, 3), "sentence_order": (1, 3)}
# Tokens before and behind a document, [CLS] and [SEP] in a tokenizer that was learned here.
_FRAME = (1, 1)


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


class DocumentRows:
    """Whole documents in the stream of token blocks, without what frames them; very short ones are left out."""

    def __init__(self, path: Path, max_length: int, tokenizer: Path | None = None, num_borders: int = 0) -> None:
        self.tokens = read_blocks(path, tokenizer).reshape(-1)
        ends = np.load(document_file(path), allow_pickle=False)
        before, behind = _FRAME if tokenizer is None else _frame(tokenizer)
        self.starts, self.stops = ends[:-1] + before, ends[1:] - behind
        long_enough = self.stops - self.starts >= MIN_DOCUMENT_TOKENS
        self.starts, self.stops = self.starts[long_enough], self.stops[long_enough]
        if len(self.starts) == 0:
            raise InputError(f"{path}: no document of {MIN_DOCUMENT_TOKENS} tokens in it; add longer texts")
        self.lengths = np.minimum(self.stops - self.starts, max_length) + num_borders

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
        self.lengths = np.array([max(1, len(example.input_ids)) for example in self.examples])

    def __len__(self) -> int:
        return len(self.examples)

    def token_ids(self) -> np.ndarray:
        """The ids that occur, each once."""
        return np.unique(np.concatenate([example.input_ids for example in self.examples]))

    def take(self, indices: np.ndarray) -> list[Example]:
        return [self.examples[index] for index in indices]


def _frame(tokenizer: Path) -> tuple[int, int]:
    roles = roles_of(tokenizer)
    return len(roles.prefix), len(roles.suffix)


def language_rows(settings: Pretraining, path: Path, tokenizer: Path) -> Rows:
    """The rows that a pre-training objective learns from, of one split's tokens.

    Raises InputError for tokens that another tokenizer made, or that are too few.
    """
    if settings.objective in _ROWS_OF_DOCUMENT:
        num_rows, num_borders = _ROWS_OF_DOCUMENT[settings.objective]
        return DocumentRows(path, num_rows * settings.max_seq_length, tokenizer, num_borders)
    # BART has no positions that begin anew inside a row, so encoder-decoders read one piece a row.
    return (PackedRows if settings.objective in PACKED else PieceRows)(path, tokenizer)
