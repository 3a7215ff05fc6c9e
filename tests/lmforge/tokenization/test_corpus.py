"""Blocks and facts, recomputed by brute force from the same documents, with either engine."""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from lmforge.artifacts import Store
from lmforge.errors import InputError
from lmforge.recipe.schema import Tokenizer
from lmforge.sharding import Workshop
from lmforge.tokenization.corpus import tokenize
from lmforge.tokenization.packing import document_file, read_blocks
from lmforge.tokenization.rows import read_rows
from lmforge.tokenization.tokenizer import NUM_SPECIAL, UNK, load_tokenizer

LENGTH = 24
SPLITS = ("train", "validation")


def settings(**changes):
    return Tokenizer(**({"vocab_size": 500, "engine": "tokenizers"} | changes))


def streams_of(tokenizer, rows):
    """The ids of each document, by split."""
    return {
        split: [np.array(tokenizer.encode(row["text"]).ids) for row in rows if row["split"] == split]
        for split in SPLITS
    }


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
@pytest.mark.parametrize("engine", ["tokenizers", "tokie"])
def test_blocks_hold_all_documents_in_order(clean, rows, tmp_path, workshop, kind, engine):
    counts, facts = tokenize(clean, tmp_path, settings(kind=kind, engine=engine), LENGTH, workshop)
    tokenizer = load_tokenizer(tmp_path / "tokenizer")
    streams = streams_of(tokenizer, rows)
    for split, documents in streams.items():
        stream = np.concatenate(documents)
        blocks = read_blocks(tmp_path / f"{split}.npy", tmp_path / "tokenizer")
        assert blocks.dtype == np.uint16
        assert isinstance(blocks, np.memmap)
        assert blocks.shape == (len(stream) // LENGTH, LENGTH)
        assert (blocks.reshape(-1) == stream[: blocks.size]).all()
        assert facts[f"num_{split}_blocks"] == len(blocks)
        index = read_rows(tmp_path / f"{split}.npy", blocks.size)
        assert facts[f"num_{split}_rows"] == index.num_rows >= len(blocks)
        assert facts[f"{split}_fill_rate"] == pytest.approx(blocks.size / (index.num_rows * LENGTH))
        assert facts[f"{split}_fill_rate"] > 0.97
        ends = np.cumsum([0, *map(len, documents)])
        assert np.load(document_file(tmp_path / f"{split}.npy")).tolist() == ends[ends <= blocks.size].tolist()
    assert (facts["engine"], facts["engine_fallback"]) == (engine, "")
    assert (facts["quick_document_share"] > 0.9) == (engine == "tokie")
    assert counts.read == counts.kept == facts["num_train_blocks"] + facts["num_validation_blocks"]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_facts_are_those_of_the_ids(clean, rows, tmp_path, workshop, kind):
    _, facts = tokenize(clean, tmp_path, settings(kind=kind), LENGTH, workshop)
    documents = [ids for part in streams_of(load_tokenizer(tmp_path / "tokenizer"), rows).values() for ids in part]
    every = np.concatenate(documents)
    assert facts["num_documents"] == len(rows)
    assert facts["num_tokens"] == len(every)
    assert facts["num_words"] == sum(row["num_words"] for row in rows)
    assert facts["unknown_share"] == (every == UNK).mean()
    assert facts["bytes_per_token"] == sum(len(row["text"].encode()) for row in rows) / len(every)
    assert facts["long_document_share"] == np.mean([len(ids) > LENGTH for ids in documents])
    assert facts["max_token_id"] == every.max()
    ordinary = np.unique(every[every >= NUM_SPECIAL])
    assert facts["vocabulary_used_share"] == len(ordinary) / (500 - NUM_SPECIAL)
    assert (facts["vocab_size"], facts["block_length"]) == (500, LENGTH)


def test_fertility_by_language_leaves_the_frame_out(clean, rows, tmp_path, workshop):
    _, facts = tokenize(clean, tmp_path, settings(), LENGTH, workshop)
    tokenizer = load_tokenizer(tmp_path / "tokenizer")
    tokens, words = Counter(), Counter()
    for row in rows:
        tokens[row["language"]] += len(tokenizer.encode(row["text"], add_special_tokens=False).ids)
        words[row["language"]] += row["num_words"]
    expected = {language: round(tokens[language] / words[language], 4) for language in ("en", "de")}
    assert facts["tokens_per_word_by_language"] == expected
    assert list(facts["tokens_per_word_by_language"]) == ["en", "de"], "the language with the most documents first"


@pytest.mark.parametrize("engine", ["tokenizers", "tokie"])
def test_special_tokens_in_text_are_counted_and_stay_text(clean, rows, tmp_path, workshop, engine):
    marked = [row | {"text": f"{row['text']} [SEP] [MASK][MASK]"} if row["id"] in ("3", "40") else row for row in rows]
    (tmp_path / "marked").mkdir()
    pl.DataFrame(marked).write_parquet(tmp_path / "marked" / "part-00000.parquet")
    _, facts = tokenize(tmp_path / "marked", tmp_path, settings(engine=engine), LENGTH, workshop)
    assert facts["special_tokens_in_text"] == {"[MASK]": 4, "[SEP]": 2}
    assert facts["num_special_tokens_in_text"] == 6
    tokenizer = load_tokenizer(tmp_path / "tokenizer")
    blocks = [read_blocks(tmp_path / f"{split}.npy").reshape(-1) for split in SPLITS]
    assert not any((ids == tokenizer.token_to_id("[MASK]")).any() for ids in blocks)
    borders = sum(int((ids == tokenizer.token_to_id("[SEP]")).sum()) for ids in blocks)
    assert len(rows) - 2 <= borders <= len(rows), "one [SEP] a document, but for those behind the last whole blocks"


def test_engine_and_order_of_work_leave_no_trace_in_the_files(clean, tmp_path):
    def backwards(function, items):
        return list(reversed([function(item) for item in reversed(items)]))

    ways = {"one": ("tokenizers", {}), "two": ("tokie", {"mapper": backwards})}
    for name, (engine, more) in ways.items():
        workshop = Workshop(Store(tmp_path / f"store-{name}"), **more)
        chosen = settings(engine=engine, lowercase=True, max_training_documents=300)
        _, facts = tokenize(clean, tmp_path / name, chosen, LENGTH, workshop)
        assert facts["engine"] == engine
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert len(files) == 11
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes(), file


def test_other_block_length_encodes_nothing_again(clean, tmp_path, workshop):
    tokenize(clean, tmp_path / "one", settings(), LENGTH, workshop)
    units = sorted((tmp_path / "store" / "tokenize.units").glob("*/manifest.json"))
    tokenize(clean, tmp_path / "two", settings(), 2 * LENGTH, workshop)
    assert len(units) == 3
    assert sorted((tmp_path / "store" / "tokenize.units").glob("*/manifest.json")) == units


def test_vocabulary_is_learned_from_training_documents_only(rows, tmp_path, workshop):
    (tmp_path / "marked").mkdir()
    marked = [row | {"text": f"☃☃☃ {row['text']}"} if row["split"] == "validation" else row for row in rows]
    pl.DataFrame(marked).write_parquet(tmp_path / "marked" / "part-00000.parquet")
    _, facts = tokenize(tmp_path / "marked", tmp_path, settings(), LENGTH, workshop)
    assert load_tokenizer(tmp_path / "tokenizer").token_to_id("☃") is None
    assert facts["unknown_share"] > 0


def test_sample_for_the_vocabulary_is_limited(clean, tmp_path, workshop):
    with pytest.raises(InputError, match="yields only"):
        tokenize(clean, tmp_path, settings(vocab_size=8000, max_training_documents=3), LENGTH, workshop)


def test_corpus_without_training_documents_is_bad_input(rows, tmp_path, workshop):
    (tmp_path / "none").mkdir()
    pl.DataFrame([row | {"split": "validation"} for row in rows[:9]]).write_parquet(
        tmp_path / "none" / "part-0.parquet"
    )
    with pytest.raises(InputError, match="no training document to learn a tokenizer from; add text"):
        tokenize(tmp_path / "none", tmp_path, settings(), LENGTH, workshop)


def test_text_shorter_than_a_block_gives_none(clean, tmp_path, workshop):
    counts, facts = tokenize(clean, tmp_path, settings(), 1 << 20, workshop)
    assert (counts.read, facts["num_train_blocks"], facts["num_validation_blocks"]) == (0, 0, 0)
    assert read_blocks(tmp_path / "train.npy", tmp_path / "tokenizer").shape == (0, 1 << 20)


def test_engine_that_is_not_installed(clean, tmp_path, workshop, monkeypatch):
    monkeypatch.setitem(sys.modules, "tokie", None)
    _, facts = tokenize(clean, tmp_path / "auto", settings(engine="auto"), LENGTH, workshop)
    assert (facts["engine"], facts["engine_fallback"]) == ("tokenizers", "tokie is not installed")
    with pytest.raises(InputError, match=r"tokenizer\.engine: tokie is not installed; install it with: pip install"):
        tokenize(clean, tmp_path / "tokie", settings(engine="tokie"), LENGTH, workshop)


@pytest.mark.parametrize("vocab_size", [299, 65_536])
def test_vocabulary_beyond_two_bytes_or_below_the_bytes_is_refused(vocab_size):
    with pytest.raises(ValidationError, match="vocab_size"):
        settings(vocab_size=vocab_size)
