"""Whatever the text, the quick engine gives the ids of `tokenizers`; and it is not trusted where it would not."""

from __future__ import annotations

import random

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import models, normalizers, pre_tokenizers

from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.encoding import differing, encode
from lmforge.tokenization.quick import QuickEncoder, is_installed, learn_agreement
from lmforge.tokenization.tokenizer import load_tokenizer, train_tokenizer

KINDS = [("wordpiece", False), ("wordpiece", True), ("bpe", False), ("bpe", True)]
# Where white space, contractions, accents, case and scripts meet.
PIECES = [
    *" \n\r\t'\"-.,_[]#019aAsStzZ", "'s", "'ll", " '", "é", "É", "e\u0301", "\u0301", "ß", "İ", "Σ", "ς", "ﬁ", "Ж",
    "日", "本", "한", "ก", "ا", "\u200d", "\ufe0f", "\U0001f642", "\u00a0", "\u3000", "\u200b", "\x00", "\ufffd", "½",
    "²", "##", "[SEP]", "[sep]",
]  # fmt: skip


@pytest.fixture(scope="module")
def learned(tmp_path_factory, descriptions):
    """For each kind of tokenizer the reference and the quick engine."""
    texts = [row["description"] for row in descriptions]
    engines = {}
    for kind, lowercase in KINDS:
        place = tmp_path_factory.mktemp(f"{kind}-{lowercase}")
        (place / "agreement").mkdir()
        chosen = Tokenizer(kind=kind, lowercase=lowercase, vocab_size=900)
        reference = train_tokenizer(texts, chosen, 64, place)
        characters = set("".join(texts)) | set("".join(PIECES))
        assert learn_agreement(place, texts[:300], characters, place / "agreement") == ""
        engines[kind, lowercase] = (reference, QuickEncoder(place / "agreement", reference), place)
    return engines


def assert_same(engines, texts):
    reference, quick, _ = engines
    different = differing(quick.encode(pl.Series(texts, dtype=pl.String)), encode(reference, texts))
    assert [texts[number] for number in different] == []


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_documents_are_the_same_and_quick(learned, descriptions, kind):
    before = learned[kind][1].num_quick
    assert_same(learned[kind], [row["description"] for row in descriptions])
    assert learned[kind][1].num_quick - before > 0.95 * len(descriptions)


@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_texts_made_of_hard_pieces_are_the_same(learned, kind):
    rng = random.Random(7)
    texts = ["".join(rng.choices(PIECES, k=rng.randint(0, 30))) for _ in range(4_000)]
    assert_same(learned[kind], [*texts, "x" * 20_000, "日" * 20_000, " " * 20_000, "'" * 20_000])


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), max_size=5))
@example(["x\t's"])
@example(["[CLS]", "\U000e0041", "\ue000", "Ⅷ"])
@settings(max_examples=60, deadline=None)
def test_ids_of_any_text_are_the_same(learned, texts):
    for kind in KINDS:
        assert_same(learned[kind], texts)


def test_no_documents(learned):
    quick = learned["bpe", False][1]
    assert [len(part) for part in quick.encode(pl.Series([], dtype=pl.String))] == [0, 0]


def test_what_must_not_be_quick_is_not(learned):
    _, quick, _ = learned["bpe", False]
    before = quick.num_quick
    quick.encode(pl.Series(["a tab\tmay stand before 's", "a [MASK] b", "private \ue000", "unseen \U00016800"]))
    assert quick.num_quick == before
    quick.encode(pl.Series(["plain text", "naïve café 日本"]))
    assert quick.num_quick == before + 2


def test_sample_with_other_ids_is_counted(learned):
    quick = QuickEncoder(learned["bpe", False][2] / "agreement", learned["bpe", True][0])
    assert quick.disagreement(["Some Text", "", "MORE"]) == "tokie gives other ids to 2 of 3 texts"
    assert quick.disagreement([""]) == quick.disagreement([]) == ""


@pytest.mark.parametrize("normalizer", [normalizers.Replace("e", "o"), normalizers.StripAccents(), normalizers.NFKC()])
def test_tokenizer_of_another_make_is_checked_too(tmp_path, descriptions, normalizer):
    vocabulary = {character: number for number, character in enumerate(["[UNK]", *map(chr, range(33, 600))])}
    tokenizer = FastTokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "out").mkdir()
    texts = [row["description"] for row in descriptions[:100]]
    if learn_agreement(tmp_path, texts, "é½e", tmp_path / "out") == "":
        engines = (load_tokenizer(tmp_path), QuickEncoder(tmp_path / "out", load_tokenizer(tmp_path)), tmp_path)
        assert_same(engines, [*texts, "é ½ e\u0301 ﬁ", "".join(PIECES)])


def test_tokenizer_that_cannot_be_loaded_is_not_trusted(tmp_path):
    tokenizer = FastTokenizer(models.WordLevel({"[UNK]": 0, "a": 1}, unk_token="[UNK]"))
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "out").mkdir()
    assert learn_agreement(tmp_path, ["a"], "a", tmp_path / "out").startswith("tokie ")


def test_library_is_there_in_this_environment():
    assert is_installed()
