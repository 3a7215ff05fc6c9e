"""Units are found again by content, survive pickling, and one wrong claim about the quick engine undoes it all."""

from __future__ import annotations

import json
import pickle
import shutil

import numpy as np
import polars as pl
import pytest

from lmforge.artifacts.store import Outcome
from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.corpus import tokenize
from lmforge.tokenization.tokenizer import load_tokenizer
from lmforge.tokenization.units import SPLITS, AgreementUnit, EncodeUnit, TokenizerUnit, load_split

LENGTH = 24
SETTINGS = Tokenizer(vocab_size=500, kind="bpe")


@pytest.fixture
def tokenizer(clean, workshop):
    return workshop.make([TokenizerUnit(clean, SETTINGS, LENGTH)])[0].path


@pytest.fixture
def shards(clean):
    return tuple(sorted(clean.glob("*.parquet")))


def believing(unit, store):
    """Put an agreement into the store that trusts the quick engine with every character."""

    def build(out):
        unit.build(out)
        everything = {"lowercase": False, "ranges": [[0, 0xD7FF], [0xE000, 0x10FFFF]]}
        (out / "characters.json").write_text(json.dumps(everything))
        return Outcome(facts={"disagreement": ""})

    return store.get_or_build(unit.request(), build)[0].path


def test_units_survive_pickling(clean, shards, tokenizer):
    units = [
        TokenizerUnit(clean, SETTINGS, LENGTH),
        AgreementUnit(tokenizer, shards),
        EncodeUnit(shards[0], tokenizer, None),
    ]
    for unit in units:
        assert pickle.loads(pickle.dumps(unit)).request().key == unit.request().key


def test_content_and_not_the_place_decides(clean, shards, tokenizer, tmp_path):
    shutil.copytree(clean, tmp_path / "copy")
    shutil.copytree(tokenizer, tmp_path / "tokenizer")
    other = tuple(tmp_path / "copy" / path.name for path in shards)
    assert (
        TokenizerUnit(tmp_path / "copy", SETTINGS, LENGTH).request() == TokenizerUnit(clean, SETTINGS, LENGTH).request()
    )
    assert AgreementUnit(tmp_path / "tokenizer", other).request() == AgreementUnit(tokenizer, shards).request()
    again = EncodeUnit(other[0], tmp_path / "tokenizer", None).request()
    assert again == EncodeUnit(shards[0], tokenizer, None).request()
    assert again != EncodeUnit(shards[2], tokenizer, None).request()
    assert again != EncodeUnit(shards[0], tokenizer, tmp_path).request(), "who encoded is on record"


def test_engine_is_no_part_of_what_a_tokenizer_learns(clean):
    keys = {
        TokenizerUnit(clean, SETTINGS.model_copy(update={"engine": engine}), LENGTH).request().key
        for engine in ("auto", "tokenizers", "tokie")
    }
    assert len(keys) == 1


def test_new_shard_leaves_the_ids_of_the_others(clean, rows, tokenizer, tmp_path, workshop):
    corpus = tmp_path / "clean"
    shutil.copytree(clean, corpus)
    units = [EncodeUnit(path, tokenizer, None) for path in sorted(corpus.glob("*.parquet"))]
    before = workshop.make(units)
    pl.DataFrame(rows[:5]).write_parquet(corpus / "part-00003.parquet")
    after = workshop.make([EncodeUnit(path, tokenizer, None) for path in sorted(corpus.glob("*.parquet"))])
    assert after[:3] == before
    assert len(after) == 4


@pytest.mark.parametrize("engine", ["tokenizers", "tokie"])
def test_unit_holds_the_ids_of_each_split(shards, rows, tokenizer, workshop, engine):
    agreement = workshop.make([AgreementUnit(tokenizer, shards)])[0].path if engine == "tokie" else None
    reference = load_tokenizer(tokenizer)
    half = len(rows) // 2
    for shard, part in zip(shards, (rows[:half], [], rows[half:]), strict=True):
        made = workshop.make([EncodeUnit(shard, tokenizer, agreement)])[0]
        occurrences = np.load(made.path / "occurrences.npy")
        assert occurrences.shape == (500,)
        for split in SPLITS:
            expected = [reference.encode(row["text"]).ids for row in part if row["split"] == split]
            loaded = load_split(made.path, split)
            assert (loaded.ids.dtype, loaded.lengths.dtype) == (np.uint16, np.int64)
            assert loaded.lengths.tolist() == [len(ids) for ids in expected]
            assert loaded.ids.tolist() == [number for ids in expected for number in ids]
            occurrences -= np.bincount(loaded.ids, minlength=500)
        assert not occurrences.any()


def test_facts_by_language(shards, rows, tokenizer, workshop):
    facts = workshop.make([EncodeUnit(shards[0], tokenizer, None)])[0].manifest.facts
    german = [row for row in rows[: len(rows) // 2] if row["language"] == "de"]
    reference = load_tokenizer(tokenizer)
    assert facts["languages"]["de"] == {
        "num_documents": len(german),
        "num_words": sum(row["num_words"] for row in german),
        "num_bytes": sum(len(row["text"].encode()) for row in german),
        "num_tokens": sum(len(reference.encode(row["text"]).ids) for row in german),
    }
    assert list(facts["languages"]) == ["de", "en"]
    assert workshop.make([EncodeUnit(shards[1], tokenizer, None)])[0].manifest.facts["languages"] == {}


def test_document_without_a_language(rows, tokenizer, tmp_path, workshop):
    pl.DataFrame([row | {"language": None} for row in rows[:4]]).cast({"language": pl.String}).write_parquet(
        tmp_path / "part-0.parquet"
    )
    made = workshop.make([EncodeUnit(tmp_path / "part-0.parquet", tokenizer, None)])[0]
    assert made.manifest.facts["languages"]["und"]["num_documents"] == 4


def test_first_documents_that_differ_end_the_trust_in_all_shards(clean, rows, tmp_path, workshop):
    corpus = tmp_path / "clean"
    shutil.copytree(clean, corpus)
    # Behind a tab the quick engine misses contractions, and this agreement denies it.
    texts = [*["the dog's and the cat's"] * 99, "see\t's"]
    pl.DataFrame([rows[1] | {"text": text} for text in texts]).write_parquet(corpus / "part-00003.parquet")
    shards = tuple(sorted(corpus.glob("*.parquet")))
    doubt = "tokie gives other ids to 1 of 100 texts at the start of a shard"
    tokenizer = workshop.make([TokenizerUnit(corpus, SETTINGS, LENGTH)])[0].path
    agreement = believing(AgreementUnit(tokenizer, shards), workshop.store)
    doubted = workshop.make([EncodeUnit(shards[3], tokenizer, agreement)])[0]
    assert doubted.manifest.facts == {"disagreement": doubt}
    _, facts = tokenize(corpus, tmp_path / "auto", SETTINGS, LENGTH, workshop)
    assert (facts["engine"], facts["quick_document_share"]) == ("tokenizers", 0)
    assert facts["engine_fallback"] == doubt
    tokenize(corpus, tmp_path / "slow", SETTINGS.model_copy(update={"engine": "tokenizers"}), LENGTH, workshop)
    for name in ("train.npy", "validation.npy"):
        assert (tmp_path / "auto" / name).read_bytes() == (tmp_path / "slow" / name).read_bytes()
