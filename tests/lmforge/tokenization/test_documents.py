"""A split is read in order; samples come from everywhere and are the same each time."""

from __future__ import annotations

import pytest

from lmforge.tokenization.characters import count_characters
from lmforge.tokenization.documents import Texts, sample_shards


@pytest.mark.parametrize("split", ["train", "validation"])
def test_texts_of_a_split_in_order_each_time_anew(clean, rows, split):
    expected = [row["text"] for row in rows if row["split"] == split]
    texts = Texts(clean, split)
    assert list(texts) == list(texts) == expected
    assert texts.num_documents() == len(expected)


def test_limited_texts_are_spread_over_all_shards(clean, rows):
    every = [row["text"] for row in rows if row["split"] == "train"]
    some = list(Texts(clean, "train", 50))
    assert 25 <= len(some) <= 50
    positions = [every.index(text) for text in some]
    assert positions[0] < len(every) / 25
    assert positions[-1] > len(every) * 24 / 25
    assert list(Texts(clean, "train", 10 * len(every))) == every


def test_sample_of_shards_comes_from_all_of_them(clean, rows):
    shards = sorted(clean.glob("*.parquet"))
    texts, counts = sample_shards(shards, 60, seed=1)
    every = [row["text"] for row in rows]
    positions = [every.index(text) for text in texts]
    assert 60 <= len(texts) <= 60 + len(shards)
    assert min(positions) < len(every) / 2 < max(positions)
    assert (counts == count_characters(every)).all()
    assert sample_shards(shards, 60, seed=1)[0] == texts
    assert sample_shards(shards, 60, seed=2)[0] != texts
    assert sorted(sample_shards(shards, 10**6, seed=1)[0]) == sorted(every)
