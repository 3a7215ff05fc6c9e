"""What a run learns from: labelled texts, whole documents, and pieces, as the objective asks."""

from __future__ import annotations

import numpy as np
import pytest

from lmforge.errors import InputError
from lmforge.recipe.optimization import Pretraining
from lmforge.tokenization.tokenizer import load_tokenizer
from lmforge.training.packed_rows import PackedRows, PieceRows
from lmforge.training.rows import DocumentRows, ExampleRows, language_rows

SECTIONS = ("games", "net", "text")


@pytest.fixture
def examples(training_data):
    return ExampleRows(training_data / "train.parquet", training_data / "tokenizer", SECTIONS, 64)


def test_examples_are_cut_and_keep_their_label(examples, training_data, descriptions):
    assert int(examples.lengths.max()) == 64
    assert [SECTIONS[example.label] for example in examples.examples] == [row["section"] for row in descriptions[40:]]


def test_bad_data_is_named(training_data):
    with pytest.raises(InputError, match=r"labels \['games', 'net'\] are not among \['text'\]"):
        ExampleRows(training_data / "train.parquet", training_data / "tokenizer", ["text"], 64)


def test_document_rows_are_whole_documents_without_borders(training_data, descriptions):
    rows = DocumentRows(training_data / "train.npy", max_length=64)
    tokenizer = load_tokenizer(training_data / "tokenizer")
    texts = [row["description"] for row in descriptions[40:]]
    encoded = [one.ids for one in tokenizer.encode_batch(texts, add_special_tokens=False)]
    expected = [ids for ids in encoded if len(ids) >= 16]
    # The last document may lie beyond the last whole block.
    assert len(expected) - 1 <= len(rows) <= len(expected)
    taken = rows.take(np.arange(len(rows)))
    assert [row.tolist() for row in taken] == expected[: len(rows)]
    assert rows.lengths.tolist() == [min(len(ids), 64) for ids in expected[: len(rows)]]


def test_document_rows_need_a_document(tmp_path):
    np.save(tmp_path / "short.npy", np.full((1, 8), 7, dtype=np.uint16))
    np.save(tmp_path / "short_documents.npy", np.array([0, 8]))
    with pytest.raises(InputError, match="no document of 16 tokens"):
        DocumentRows(tmp_path / "short.npy", max_length=64)


@pytest.mark.parametrize(
    ("objective", "kind", "borders"),
    [
        ("masked_lm", PackedRows, None),
        ("causal_lm", PackedRows, None),
        ("replaced_token_detection", PackedRows, None),
        ("span_corruption", PieceRows, 0),
        ("denoising", PieceRows, 0),
        ("contrastive_masked_lm", DocumentRows, 5),
        ("next_sentence", DocumentRows, 3),
    ],
)
def test_an_objective_gets_the_rows_that_it_can_learn_from(training_data, objective, kind, borders):
    settings = Pretraining(objective=objective, max_seq_length=32)
    rows = language_rows(settings, training_data / "train.npy", training_data / "tokenizer")
    assert type(rows) is kind
    if borders is None:
        assert rows.lengths is None
    else:
        longest = 64 if objective == "contrastive_masked_lm" else 32
        assert rows.lengths.max() == longest + borders, "a budget counts special tokens, too"
