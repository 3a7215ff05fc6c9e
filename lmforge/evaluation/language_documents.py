"""A language model on held-out documents one by one: what a gate pairs, because two models can be asked the same ones.

A causal network's nats are the cost of the whole text, so bits a byte of them do not depend on the tokenizer. Of any
other network only what was hidden from it is measured: nats a token, which mean something beside those of a network
with the same tokenizer on the same hidden tokens. What is hidden depends on the document's id and on nothing else.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from lmforge.recipe.optimization import Pretraining
from lmforge.text.normalizing import bucket, text_keys
from lmforge.text.records import scan
from lmforge.tokenization.roles import document_tokenizer
from lmforge.training.objectives import objective_of
from lmforge.training.packed_rows import MIN_PIECE_TOKENS
from models.architectures import load_language_model
from models.objectives import Batch
from models.objectives.masked_lm import IGNORED
from models.packing import Packed

BITS_PER_BYTE, NATS_PER_TOKEN = "bits_per_byte", "nats_per_token"
# A book would take as long as all other documents together.
MAX_CHARS = 1 << 14
# Their second part needs pairs of texts; what they learn of tokens is measured by itself.
_MEASURED = dict.fromkeys(("contrastive_masked_lm", "next_sentence", "sentence_order"), "masked_lm")
_CHOICE_SALT = "judged documents"
_SEQ2SEQ = ("span_corruption", "denoising")


def held_out_documents(clean: Path, limit: int) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """At most `limit` documents of the validation split by a hash of their ids, and which of them training text holds.

    clean: what the stage `clean` left. The frame has `id` and `text`, the first 16,384 characters, sorted by id. A
    document that is chosen stays so until enough others come before it. The same text is one with the same `text_key`.
    """
    rows = scan(clean).select("id", "text", "split")
    held = rows.filter(pl.col("split") == "validation").select("id", "text").collect()
    order = sorted(range(len(held)), key=lambda at: (bucket(_CHOICE_SALT, held["id"][at]), at))[:limit]
    chosen = held[sorted(order)].sort("id")
    keys, found = _keys(chosen["text"]), np.zeros(len(chosen), dtype=bool)
    for frame in rows.filter(pl.col("split") == "train").select("text").collect_batches():
        found |= np.isin(keys, _keys(frame["text"]))
    overlapping = tuple(chosen["id"].filter(pl.Series(found)).to_list())
    return chosen.with_columns(pl.col("text").str.head(MAX_CHARS)), overlapping


def _keys(texts: pl.Series) -> np.ndarray:
    """One number a text: the upper half of its key, which two of a billion texts share with a chance of 3 %."""
    return np.asarray(text_keys(texts)[:, 0])


def metric_of(settings: Pretraining) -> str:
    """The name of what is measured; less is better in both."""
    return BITS_PER_BYTE if settings.objective == "causal_lm" else NATS_PER_TOKEN


def measured(settings: Pretraining) -> Pretraining:
    """The settings of the objective by which a network of these settings is measured."""
    alone = settings.alone()
    return alone.model_copy(update={"objective": _MEASURED.get(alone.objective, alone.objective)})


class DocumentScorer:
    """A base model in a directory, with its own tokenizer, asked about documents."""

    def __init__(self, directory: Path, settings: Pretraining, max_length: int | None = None) -> None:
        """settings: as `measured` gives them. max_length: longest piece in tokens, by default what the model knows."""
        self.settings = settings
        self.network = load_language_model(settings.objective, directory)
        self.tokenizer = document_tokenizer(directory)
        self.objective = objective_of(settings, directory)
        own = own_length(directory, settings.max_seq_length)
        self.max_length = own if max_length is None else min(own, max_length)

    def score(self, documents: pl.DataFrame) -> pl.DataFrame:
        """A row a document in the given order: `id`, `num_bytes` and `num_words` of its text, `nats` and `num_tokens`.

        nats: sum over the predicted tokens; a document in which nothing was hidden has 0 of both.
        """
        rows = []
        with torch.inference_mode():
            for name, ids, text in self._encoded(documents):
                sums = [self.objective.sums(self.network, batch) for batch in self.batches(name, ids)]
                nats, count = (sum(one[key] for one in sums) for key in ("loss", "count"))
                rows.append((name, len(text.encode()), len(text.split()), float(nats), int(count)))
        kinds = {"num_bytes": pl.Int64, "num_words": pl.Int64, "nats": pl.Float64, "num_tokens": pl.Int64}
        return pl.DataFrame(rows, schema={"id": pl.String, **kinds}, orient="row")

    def counted(self, documents: pl.DataFrame) -> list[Batch]:
        """The batches of all documents as counts of n-grams are asked: a whole document is one row of a causal one."""
        if self.settings.objective != "causal_lm":
            return [batch for name, ids, _ in self._encoded(documents) for batch in self.batches(name, ids)]
        rows = [torch.from_numpy(ids)[None] for _, ids, _ in self._encoded(documents)]
        return [{"input_ids": row, "segments": torch.ones_like(row)} for row in rows]

    def batches(self, name: str, ids: np.ndarray) -> Iterator[Batch]:
        """What the network is asked of one document: windows of a causal one, else its pieces with hidden tokens."""
        if self.settings.objective == "causal_lm":
            yield from causal_windows(ids, self.max_length)
            return
        rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]))
        # Too short to cut spans from; a masked token is one anywhere.
        least = MIN_PIECE_TOKENS if self.settings.objective in _SEQ2SEQ else 1
        for start in range(0, len(ids), self.max_length):
            piece = ids[None, start : start + self.max_length]
            batch = self.objective.collate(Packed(piece, np.ones_like(piece), np.arange(piece.shape[1])[None]), rng)
            if piece.shape[1] >= least and bool((batch["labels"] != IGNORED).any()):
                yield batch

    def _encoded(self, documents: pl.DataFrame) -> Iterator[tuple[str, np.ndarray, str]]:
        texts = documents["text"].to_list()
        encoded = self.tokenizer.encode_batch_fast(texts)
        for name, one, text in zip(documents["id"], encoded, texts, strict=True):
            yield name, np.asarray(one.ids, dtype=np.int64), text


def causal_windows(ids: np.ndarray, length: int) -> Iterator[Batch]:
    """Batches of one row in which every token of `ids` but the first is predicted once, int64 [num_tokens].

    A text longer than `length` is read in windows that overlap by half, so that each token has half a window of context
    at least; every probability depends on earlier tokens only, so their product is one of the whole text.
    """
    predicted = 1
    for start in range(0, max(1, len(ids) - 1), max(1, length // 2)):
        window = ids[start : start + length]
        labels = np.full(len(window), IGNORED)
        first = predicted - start  # in the window, of the tokens that no earlier one predicted
        labels[first - 1 : len(window) - 1] = window[first:]
        predicted = start + len(window)
        yield {"input_ids": torch.from_numpy(window[None]), "labels": torch.from_numpy(labels[None])}
        if predicted >= len(ids):
            return


def own_length(directory: Path, default: int) -> int:
    """The longest text that the model in a directory was made for, in tokens; `default` where it knows no end."""
    config: dict[str, Any] = json.loads((directory / "config.json").read_text(encoding="utf-8"))
    tokenizer = json.loads((directory / "tokenizer_config.json").read_text(encoding="utf-8"))
    known = [config.get("max_position_embeddings"), config.get("n_positions"), tokenizer.get("model_max_length")]
    # T5 counts distances, and what it calls positions ends nothing; a tokenizer without an end says 10^30.
    lengths = [one for one in known if isinstance(one, int) and one < 1 << 30]
    return min(lengths, default=default)


def value_of(scores: pl.DataFrame, metric: str) -> float:
    """The metric over all documents: bits over bytes, or nats over predicted tokens; less is better."""
    nats = float(scores["nats"].sum())
    if metric == BITS_PER_BYTE:
        return nats / math.log(2.0) / max(1, int(scores["num_bytes"].sum()))
    return nats / max(1, int(scores["num_tokens"].sum()))
