"""Whatever the text, words put together have the ids of the whole; a tokenizer of another make is left alone."""

from __future__ import annotations

import random
import unicodedata

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, normalizers, pre_tokenizers, processors

from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization import words
from lmforge.tokenization.encoding import differing, encode
from lmforge.tokenization.quick import _AROUND, _ODD_TEXTS
from lmforge.tokenization.tokenizer import CLS, SEP, load_tokenizer, train_tokenizer
from lmforge.tokenization.words import WordEncoder, character_class

KINDS = [("wordpiece", False), ("wordpiece", True), ("bpe", False), ("bpe", True)]
# Where white space, contractions, accents, case and scripts meet.
PIECES = [
    *" \n\r\t\v\f\x1c\x85'\"-.,|_[]$+#019aAsStzZ", "'s", "'ll", "'RE", " '", "''", "  ", "\n ", "é", "É", "e\u0301",
    "\u0301", "ß", "İ", "ſ", "\u212a", "Σ", "ς", "ﬁ", "Ж", "日", "本", "한", "ก", "ا", "\u200d", "\ufe0f", "\U0001f642",
    "\u00a0", "\u3000", "\u2028", "\u180e", "\u200b", "\x00", "\ufffd", "½", "²", "’", "##", "[SEP]", "[sep]",
]  # fmt: skip
TEXTS = [
    "'s", "a\n's b\t'll c  're", "\n's", " 's'", "don't''s ' s '", "a\u00a0b \u00a0 c\u3000'd", "x" * 101 + " y|z",
    "ΑΣ ΑΣ. ΣΑΣ'Σ", "日本語、テキスト。", "\U0001f468\u200d\U0001f469 \U0001f44d\U0001f3fd", "İİ.İ", "\x0bab\x0cc",
    "e\u0301 \u0301.\u0301", "| ||| a|b", "\n\n\n", "   ", "a  ", "[CLS] [PAD][MASK]", "x" * 30_000, " " * 9_000 + "a",
]  # fmt: skip


@pytest.fixture(scope="module")
def learned(tmp_path_factory, descriptions):
    """The directories of a tokenizer of each kind."""
    texts = [row["description"] for row in descriptions]
    places = {kind: tmp_path_factory.mktemp(f"{kind[0]}-{kind[1]}") for kind in KINDS}
    for (kind, lowercase), place in places.items():
        train_tokenizer(texts, Tokenizer(kind=kind, lowercase=lowercase, vocab_size=900), 64, place)
    return places


@pytest.fixture(scope="module")
def encoders(learned):
    """For each kind the reference, and an encoder that all tests share, so that its table has a history."""
    return {kind: (load_tokenizer(place), WordEncoder(load_tokenizer(place))) for kind, place in learned.items()}


def assert_same(reference, encoder, texts):
    different = differing(encoder.encode(pl.Series(texts, dtype=pl.String)), encode(reference, texts))
    assert [texts[number] for number in different] == []


@pytest.mark.parametrize("kind", KINDS)
def test_documents_have_the_same_ids_by_words(encoders, descriptions, kind):
    reference, encoder = encoders[kind]
    before = encoder.num_by_words
    assert_same(reference, encoder, [row["description"] for row in descriptions])
    assert encoder.num_by_words - before > 0.99 * len(descriptions)


@pytest.mark.parametrize("kind", KINDS)
def test_odd_texts_have_the_same_ids(encoders, kind):
    assert_same(*encoders[kind], [*TEXTS, *_ODD_TEXTS])
    for text in (*TEXTS, *_ODD_TEXTS):
        assert_same(*encoders[kind], [text])


@pytest.mark.parametrize("kind", KINDS)
def test_texts_made_of_hard_pieces_have_the_same_ids(encoders, kind):
    rng = random.Random(7)
    texts = ["".join(rng.choices(PIECES, k=rng.randint(0, 12))) for _ in range(6_000)]
    reference, encoder = encoders[kind]
    before = encoder.num_by_words
    assert_same(reference, encoder, texts)
    assert encoder.num_by_words - before > len(texts) / 4


@pytest.mark.parametrize("kind", KINDS)
def test_each_character_has_the_same_ids_in_any_context(encoders, kind):
    points = [*range(0x600), *range(0x1680, 0x16A0), *range(0x1800, 0x1810), *range(0x1E00, 0x2C00)]
    some = [*range(0x600, 0x3100, 7), *range(0x3000, 0x30000, 97)]
    characters = [one for one in map(chr, [*points, *some]) if unicodedata.category(one) != "Cs"]
    assert_same(*encoders[kind], [_AROUND.format(one) for one in characters])


@pytest.mark.parametrize("characters", ["]", "^a", "-\\", "", "\U0010ffff\n"])
def test_class_of_characters_matches_them_alone(characters):
    texts = ["]", "^", "a", "-", "\\", "x", "", "\U0010ffff", "\n"]
    found = pl.Series(texts).str.contains(character_class(characters)).to_list()
    assert found == [text != "" and text in characters for text in texts]


@given(st.lists(st.text(st.characters(exclude_categories=("Cs",))), max_size=5))
@example(["\n's", "x\t's", "İ."])
@example(["[CLS]", "\U000e0041", "\ue000", "Ⅷ"])
@settings(max_examples=60, deadline=None)
def test_any_text_has_the_same_ids(encoders, texts):
    for reference, encoder in encoders.values():
        assert_same(reference, encoder, texts)


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), max_size=5))
@settings(max_examples=60, deadline=None)
def test_any_order_of_hard_pieces_has_the_same_ids(encoders, texts):
    for reference, encoder in encoders.values():
        assert_same(reference, encoder, texts)


@pytest.mark.parametrize("kind", KINDS)
def test_no_documents_and_no_words(encoders, kind):
    _, encoder = encoders[kind]
    assert [len(part) for part in encoder.encode(pl.Series([], dtype=pl.String))] == [0, 0]
    empty = encoder.encode(pl.Series(["", ""]))
    assert (empty.ids.tolist(), empty.lengths.tolist()) == ([CLS, SEP, CLS, SEP], [2, 2])


def test_document_with_a_doubtful_character_is_not_cut(encoders):
    for kind, doubtful in ((("wordpiece", True), "a\x0bb"), (("bpe", True), "aİ.")):
        encoder = encoders[kind][1]
        before = encoder.num_by_words
        encoder.encode(pl.Series([doubtful, "naïve café", doubtful]))
        assert encoder.num_by_words == before + 1


def test_table_that_is_too_large_is_dropped(learned, descriptions):
    place = learned["bpe", False]
    reference, encoder = load_tokenizer(place), WordEncoder(load_tokenizer(place))
    encoder.encode(pl.Series(["some words"]))
    held = encoder._words
    held._num_bytes = words._MAX_TABLE_BYTES + 1
    assert_same(reference, encoder, ["words", "other words"])
    assert 0 < held._num_bytes < 1_000
    for row in descriptions[:50]:
        assert_same(reference, encoder, [row["description"]])


def test_words_are_found_by_bytes_and_where_those_do_not_add_up_by_the_library(learned, descriptions):
    texts = [row["description"] for row in descriptions]
    reference = load_tokenizer(learned["bpe", False])
    for misleading in (False, True):
        encoder = WordEncoder(reference)
        found = encoder._words._token_bytes
        assert int(found[reference.token_to_id("a")]) == 1
        encoder._words._token_bytes = found + 1 if misleading else found
        assert_same(reference, encoder, texts)
    assert all(WordEncoder(load_tokenizer(learned[kind]))._words._token_bytes is None for kind in KINDS[:2] + KINDS[3:])


def test_parts_of_a_batch_are_the_batch():
    texts = pl.Series(["", "a" * words._BYTES_AT_ONCE, "b", "c" * (2 * words._BYTES_AT_ONCE), "", "d"])
    parts = list(words._slices(texts))
    assert len(parts) > 2
    assert pl.concat(parts).to_list() == texts.to_list()
    assert list(words._slices(texts.head(0))) == []


def strange(tokenizer, change):
    """Another make of tokenizer."""
    match change:
        case "normalizer":
            tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
        case "accents":
            tokenizer.normalizer = normalizers.BertNormalizer(strip_accents=None, lowercase=True)
        case "splitter":
            tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        case "added token":
            tokenizer.add_tokens([AddedToken("the package")])
        case "special tokens":
            tokenizer.encode_special_tokens = False
        case "truncation":
            tokenizer.enable_truncation(8)
        case "padding":
            tokenizer.enable_padding(length=50)
        case "frame":
            tokenizer.post_processor = processors.TemplateProcessing(
                single="$A [SEP] [CLS]", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
            )
        case "prefix":
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    return tokenizer


CHANGES = ["normalizer", "accents", "splitter", "added token", "special tokens", "truncation", "padding", "frame"]


@pytest.mark.parametrize("change", [*CHANGES, "prefix"])
@pytest.mark.parametrize("kind", [("wordpiece", True), ("bpe", False)])
def test_tokenizer_of_another_make_encodes_by_itself(learned, kind, change):
    encoder = WordEncoder(strange(load_tokenizer(learned[kind]), change))
    texts = ["the package [SEP] é ½ e\u0301", "  foo's  bar", *TEXTS]
    assert_same(strange(load_tokenizer(learned[kind]), change), encoder, texts)
    assert encoder.num_by_words == 0


def test_bert_processing_is_the_same_frame(learned):
    tokenizer = load_tokenizer(learned["wordpiece", True])
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", SEP), ("[CLS]", CLS))
    encoder = WordEncoder(tokenizer)
    assert_same(load_tokenizer(learned["wordpiece", True]), encoder, TEXTS)
    assert encoder.num_by_words > 0
