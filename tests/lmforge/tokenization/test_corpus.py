"""Blocks and facts, recomputed by brute force from the same documents."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lmforge.errors import InputError
from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.corpus import tokenize
from lmforge.tokenization.packing import BATCH_DOCUMENTS, PackedSplit, read_blocks
from lmforge.tokenization.tokenizer import NUM_SPECIAL, UNK, load_tokenizer

LENGTH = 24


@pytest.fixture(scope="module")
def clean(tmp_path_factory, descriptions):
    """A clean corpus of two shards; every tenth document is for validation."""
    directory = tmp_path_factory.mktemp("clean")
    rows = [
        {"id": str(number), "text": row["description"], "split": "validation" if number % 10 == 0 else "train"}
        for number, row in enumerate(descriptions)
    ]
    for shard, start in enumerate((0, len(rows) // 2)):
        stop = len(rows) if shard else len(rows) // 2
        pl.DataFrame(rows[start:stop]).write_parquet(directory / f"part-{shard:05}.parquet")
    return directory


@pytest.fixture(scope="module")
def texts(descriptions):
    split = {"train": [], "validation": []}
    for number, row in enumerate(descriptions):
        split["validation" if number % 10 == 0 else "train"].append(row["description"])
    return split


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_blocks_hold_all_documents_in_order(clean, texts, tmp_path, kind):
    counts, facts = tokenize(clean, tmp_path, Tokenizer(kind=kind, vocab_size=500), LENGTH)
    tokenizer = load_tokenizer(tmp_path / "tokenizer")
    streams = {}
    for split, documents in texts.items():
        streams[split] = np.concatenate([tokenizer.encode(text).ids for text in documents])
        blocks = read_blocks(tmp_path / f"{split}.npy")
        assert blocks.dtype == np.uint16
        assert isinstance(blocks, np.memmap)
        assert blocks.shape == (len(streams[split]) // LENGTH, LENGTH)
        assert (blocks.reshape(-1) == streams[split][: blocks.size]).all()
        assert facts[f"num_{split}_blocks"] == len(blocks)
    every = np.concatenate(list(streams.values()))
    assert facts["num_tokens"] == len(every)
    assert facts["num_words"] == sum(len(text.split()) for documents in texts.values() for text in documents)
    assert facts["unknown_share"] == (every == UNK).mean()
    assert facts["max_token_id"] == every.max()
    ordinary = np.unique(every[every >= NUM_SPECIAL])
    assert facts["vocabulary_used_share"] == len(ordinary) / (500 - NUM_SPECIAL)
    assert (facts["vocab_size"], facts["block_length"]) == (500, LENGTH)
    assert counts.read == counts.kept == facts["num_train_blocks"] + facts["num_validation_blocks"]
    assert not list(tmp_path.glob("*.raw"))


def test_vocabulary_is_learned_from_training_documents_only(clean, tmp_path, descriptions):
    marked = tmp_path / "marked"
    marked.mkdir()
    frame = pl.read_parquet(clean / "*.parquet").with_columns(
        text=pl.when(pl.col("split") == "validation").then(pl.lit("☃☃☃ ") + pl.col("text")).otherwise(pl.col("text"))
    )
    frame.write_parquet(marked / "part-00000.parquet")
    _, facts = tokenize(marked, tmp_path, Tokenizer(vocab_size=500), LENGTH)
    assert load_tokenizer(tmp_path / "tokenizer").token_to_id("☃") is None
    assert facts["unknown_share"] > 0


def test_same_corpus_same_bytes(clean, tmp_path):
    for name in ("one", "two"):
        tokenize(clean, tmp_path / name, Tokenizer(vocab_size=500, max_training_documents=300), LENGTH)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) >= 4
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_sample_for_the_vocabulary_is_limited(clean, tmp_path):
    with pytest.raises(InputError, match="yields only"):
        tokenize(clean, tmp_path, Tokenizer(vocab_size=8000, max_training_documents=3), LENGTH)


def test_many_batches_and_none(training_data, tmp_path):
    tokenizer = load_tokenizer(training_data / "tokenizer")
    many = PackedSplit(tmp_path / "many.npy", 600).pack(["word"] * (BATCH_DOCUMENTS + 1), tokenizer, 7)
    assert many.num_tokens == (BATCH_DOCUMENTS + 1) * len(tokenizer.encode("word").ids)
    assert many.num_blocks == many.num_tokens // 7
    none = PackedSplit(tmp_path / "none.npy", 600).pack([], tokenizer, 7)
    assert (none.num_blocks, none.num_tokens) == (0, 0)
    assert read_blocks(tmp_path / "none.npy").shape == (0, 7)
