"""The parts of the stage `tokenize` that the store finds again by content: the tokenizer, and the ids of each shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lmforge.artifacts.artifact import Counts
from lmforge.artifacts.store import Outcome, Request
from lmforge.errors import InputError
from lmforge.hashing import code_fingerprint, hash_file
from lmforge.recipe.schema import Tokenizer
from lmforge.text.tables import read_frames, shard_paths
from lmforge.tokenization.documents import Texts, sample_shards
from lmforge.tokenization.encoding import Encoded
from lmforge.tokenization.quick import QuickEncoder, learn_agreement
from lmforge.tokenization.roles import document_tokenizer, special_names
from lmforge.tokenization.tokenizer import tokenizer_fingerprint, train_tokenizer
from lmforge.tokenization.words import WordEncoder

SPLITS = ("train", "validation")
OCCURRENCES = "occurrences.npy"
_LEARNING = tuple(f"lmforge.tokenization.{name}" for name in ("tokenizer", "characters", "documents"))
_ENCODERS = ("units", "quick", "words", "encoding", "roles", "documents", "characters")
_ENCODING = tuple(f"lmforge.tokenization.{name}" for name in _ENCODERS)
_BATCH_DOCUMENTS = 5_000
# Of each shard so many documents are encoded by both engines.
_COMPARED_TEXTS = 250
_SAMPLE_SHARDS, _SAMPLE_TEXTS, _SAMPLE_SEED = 8, 2_000, 0


@dataclass(frozen=True)
class TokenizerUnit:
    """The tokenizer that is learned from the training documents of a clean corpus."""

    clean: Path
    settings: Tokenizer
    max_seq_length: int

    def request(self) -> Request:
        """By the content of all shards: the sample is spread over them."""
        config = self.settings.model_dump(mode="json", exclude={"engine"}) | {"max_seq_length": self.max_seq_length}
        code = code_fingerprint(_LEARNING, ("tokenizers", "transformers"))
        inputs = {path.name: hash_file(path) for path in shard_paths(self.clean)}
        return Request("tokenize.tokenizer", "tokenizer", config, inputs, code)

    def build(self, out: Path) -> Outcome:
        """Write a transformers directory to `out`; raises InputError where the text is too little."""
        texts = Texts(self.clean, "train", self.settings.max_training_documents)
        if (number := texts.num_documents()) == 0:
            raise InputError(
                "the clean corpus has no training document to learn a tokenizer from; add text, or lower "
                "corpus.validation_share"
            )
        train_tokenizer(texts, self.settings, self.max_seq_length, out)
        return Outcome(Counts(read=number, kept=number, unit="documents"))


@dataclass(frozen=True)
class AgreementUnit:
    """What the quick engine may be trusted with for one tokenizer.

    The fact `disagreement` says why it may not be trusted at all, and is empty where it may.
    """

    tokenizer: Path
    shards: tuple[Path, ...]

    def request(self) -> Request:
        """By the tokenizer, the sampled shards and the versions of both engines."""
        inputs = {path.name: hash_file(path) for path in self._sampled()}
        code = code_fingerprint(_ENCODING, ("tokenizers", "tokie"))
        config = {"num_texts": _SAMPLE_TEXTS, "seed": _SAMPLE_SEED}
        inputs |= {"tokenizer": tokenizer_fingerprint(self.tokenizer)}
        return Request("tokenize.agreement", "agreement", config, inputs, code)

    def build(self, out: Path) -> Outcome:
        """Compare both engines on characters, odd texts and 2,000 documents; write what a QuickEncoder loads."""
        texts, counts = sample_shards(self._sampled(), _SAMPLE_TEXTS, _SAMPLE_SEED)
        characters = map(chr, np.flatnonzero(counts).tolist())
        return Outcome(facts={"disagreement": learn_agreement(self.tokenizer, texts, characters, out)})

    def _sampled(self) -> list[Path]:
        number = min(_SAMPLE_SHARDS, len(self.shards))
        chosen = np.random.default_rng(_SAMPLE_SEED).choice(len(self.shards), number, replace=False)
        return [self.shards[index] for index in sorted(chosen.tolist())]


@dataclass(frozen=True)
class EncodeUnit:
    """The ids of one clean shard. agreement: the directory of an AgreementUnit, None for `tokenizers` alone."""

    shard: Path
    tokenizer: Path
    agreement: Path | None

    def request(self) -> Request:
        """By the content of the shard and the tokenizer; the length of a block is not part of it."""
        libraries = ("tokenizers", "tokie") if self.agreement else ("tokenizers",)
        inputs = {"shard": hash_file(self.shard), "tokenizer": tokenizer_fingerprint(self.tokenizer)}
        config = {"engine": "tokie" if self.agreement else "tokenizers"}
        return Request("tokenize.units", "token_unit", config, inputs, code_fingerprint(_ENCODING, libraries))

    def build(self, out: Path) -> Outcome:
        """Write for each split its ids and lengths in document order, and how often each id occurs in both.

        `SPLIT.npy`: [num_tokens]; `SPLIT_lengths.npy`: int64 [num_documents]; `occurrences.npy`: int64
        [vocab_size]. Facts by language, and those of special tokens that stand in the text. Where the engines differ
        on the first documents, nothing but the fact `disagreement`.
        """
        reference = document_tokenizer(self.tokenizer)
        quick = QuickEncoder(self.agreement, reference) if self.agreement else None
        encoder = quick or WordEncoder(reference)
        parts, rows, special = [], [], dict.fromkeys(special_names(reference), 0)
        for number, frame in enumerate(_batches(self.shard)):
            texts = frame["text"]
            if quick and number == 0 and (doubt := quick.disagreement(texts.head(_COMPARED_TEXTS).to_list())):
                return Outcome(facts={"disagreement": f"{doubt} at the start of a shard"})
            parts.append(encoder.encode(texts))
            rows.append(_measured(frame, parts[-1]))
            _count_special(texts, special)
        _write(out, Encoded.joined(parts), pl.concat(rows), reference.get_vocab_size())
        facts = _facts(pl.concat(rows)) | {"special_tokens_in_text": special}
        return Outcome(facts=facts | {"num_quick_documents": quick.num_quick if quick else 0})


def load_split(unit: Path, split: str) -> Encoded:
    """What an EncodeUnit wrote for a split; the ids are memory-mapped."""
    lengths = np.load(unit / f"{split}_lengths.npy", allow_pickle=False)
    return Encoded(np.load(unit / f"{split}.npy", mmap_mode="r", allow_pickle=False), lengths)


def _batches(shard: Path) -> Iterator[pl.DataFrame]:
    """The documents of a shard some thousand at a time; one empty frame for an empty shard."""
    for frame in read_frames(shard):
        columns = frame.select("text", "split", "num_words", pl.col("language").fill_null("und"))
        yield from columns.iter_slices(_BATCH_DOCUMENTS) if len(columns) else (columns,)


def _measured(frame: pl.DataFrame, encoded: Encoded) -> pl.DataFrame:
    return frame.select(
        "split",
        "language",
        num_words=pl.col("num_words").cast(pl.Int64),
        num_bytes=pl.col("text").str.len_bytes().cast(pl.Int64),
        num_tokens=pl.Series(encoded.lengths, dtype=pl.Int64),
    )


def _count_special(texts: pl.Series, counts: dict[str, int]) -> None:
    named = texts.filter(texts.str.contains_any(list(counts)))
    for token in counts if len(named) else ():
        counts[token] += int(named.str.count_matches(token, literal=True).sum())


def _write(out: Path, encoded: Encoded, rows: pl.DataFrame, vocab_size: int) -> None:
    np.save(out / OCCURRENCES, encoded.occurrences(vocab_size))
    for split in SPLITS:
        part = encoded.select((rows["split"] == split).to_numpy())
        np.save(out / f"{split}.npy", part.ids)
        np.save(out / f"{split}_lengths.npy", part.lengths)


def _facts(rows: pl.DataFrame) -> dict[str, Any]:
    sums = rows.group_by("language").agg(pl.len().alias("num_documents"), pl.selectors.starts_with("num_").sum())
    return {"languages": {one.pop("language"): one for one in sums.sort("language").to_dicts()}}
