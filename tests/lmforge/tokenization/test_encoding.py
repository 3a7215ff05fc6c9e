"""Ids in a row are those of each text alone, and the library's threads are allowed only meanwhile."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.tokenization.encoding import DTYPE, Encoded, all_cores, differing, encode
from lmforge.tokenization.tokenizer import load_tokenizer

DOCUMENTS = st.lists(st.lists(st.integers(0, 65_535), max_size=6), max_size=12)
NAME = "TOKENIZERS_PARALLELISM"


def encoded(documents):
    ids = np.array([number for document in documents for number in document], dtype=DTYPE)
    return Encoded(ids, np.array([len(document) for document in documents], dtype=np.int64))


def listed(result):
    return [ids.tolist() for ids in np.split(result.ids, result.lengths.cumsum()[:-1])] if len(result.lengths) else []


@pytest.mark.parametrize("number", [0, 1, 1_000, 1_001, 2_500])
def test_ids_of_many_texts_are_those_of_each(training_data, number):
    tokenizer = load_tokenizer(training_data / "tokenizer")
    texts = [f"word {'more ' * (index % 3)}" if index % 7 else "" for index in range(number)]
    result = encode(tokenizer, texts)
    assert (result.ids.dtype, result.lengths.dtype) == (np.uint16, np.int64)
    assert listed(result) == [tokenizer.encode(text).ids for text in texts]


@given(DOCUMENTS, st.randoms())
def test_documents_taken_apart_come_together_again(documents, random):
    whole = encoded(documents)
    mask = np.array([random.random() < 0.5 for _ in documents], dtype=bool)
    some, others = whole.select(mask), whole.select(~mask)
    assert listed(some) == [one for one, taken in zip(documents, mask, strict=True) if taken]
    merged = Encoded.merged(mask, some, others)
    assert merged.ids.dtype == DTYPE
    assert listed(merged) == documents
    assert listed(Encoded.joined([some, others])) == listed(some) + listed(others)


@given(DOCUMENTS, DOCUMENTS)
@settings(max_examples=200)
def test_differing_documents_are_all_named(one, other):
    size = min(len(one), len(other))
    one, other = one[:size], other[:size]
    expected = [number for number in range(size) if one[number] != other[number]]
    assert differing(encoded(one), encoded(other)).tolist() == expected
    assert differing(encoded(one), encoded(one)).tolist() == []


@pytest.mark.parametrize("before", ["false", "true", None])
def test_cores_are_allowed_only_meanwhile(monkeypatch, before):
    if before is None:
        monkeypatch.delenv(NAME, raising=False)
    else:
        monkeypatch.setenv(NAME, before)
    with pytest.raises(ZeroDivisionError), all_cores(), all_cores():
        assert os.environ[NAME] == "true"
        raise ZeroDivisionError
    assert os.environ.get(NAME) == before


def test_the_last_thread_forbids_them_again(monkeypatch):
    monkeypatch.setenv(NAME, "false")
    inside, leave = threading.Barrier(5), threading.Event()

    def work():
        with all_cores():
            inside.wait()
            leave.wait()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    with all_cores():
        inside.wait()
    assert os.environ[NAME] == "true", "four are still in there"
    leave.set()
    for thread in threads:
        thread.join()
    assert os.environ[NAME] == "false"


def test_each_id_is_counted_and_one_beyond_the_vocabulary_is_refused():
    ids = np.random.default_rng(0).integers(0, 900, 600_000).astype(DTYPE)
    result = Encoded(ids, np.array([len(ids)]))
    assert result.occurrences(1_000).tolist() == np.bincount(ids, minlength=1_000).tolist()
    assert encoded([]).occurrences(3).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="shape"):
        result.occurrences(10)
