"""Both kinds share fixed special ids, give text back, and are learned the same way twice."""

from __future__ import annotations

import subprocess
import sys

import pytest
from transformers import AutoTokenizer

from lmforge.errors import InputError
from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.tokenizer import (
    CLS,
    MASK,
    PAD,
    SEP,
    SPECIAL_TOKENS,
    UNK,
    load_tokenizer,
    tokenizer_fingerprint,
    train_tokenizer,
)

ODD = ["Tabs\tand  two spaces", "naïve café – “quotes”", "日本語 and 🙂 emoji", "a [SEP] b [MASK] [CLS]", " leading"]


@pytest.fixture(scope="module")
def texts(descriptions):
    return [row["description"] for row in descriptions]


def trained(texts, out, kind, **settings):
    return train_tokenizer(texts, Tokenizer(kind=kind, **({"vocab_size": 500} | settings)), 64, out)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_special_tokens_have_their_ids_and_frame_a_text(texts, tmp_path, kind):
    tokenizer = trained(texts, tmp_path, kind)
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS.values()] == [PAD, UNK, CLS, SEP, MASK]
    ids = tokenizer.encode(texts[0]).ids
    assert (ids[0], ids[-1]) == (CLS, SEP)
    assert min(ids[1:-1]) > MASK
    assert tokenizer.get_vocab_size() == 500


def test_bpe_gives_every_text_back_exactly(texts, tmp_path):
    tokenizer = trained(texts, tmp_path, "bpe")
    for text in texts + ODD:
        encoded = tokenizer.encode(text)
        assert tokenizer.decode(encoded.ids) == text
        assert UNK not in encoded.ids


def test_wordpiece_gives_the_words_back(texts, tmp_path):
    tokenizer = trained(texts, tmp_path, "wordpiece", lowercase=True)
    for text in texts[:50]:
        assert "".join(tokenizer.decode(tokenizer.encode(text).ids).split()) == "".join(text.lower().split())


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_lowercase_is_a_choice(texts, tmp_path, kind):
    kept, lowered = (trained(texts, tmp_path / str(low), kind, lowercase=low) for low in (False, True))
    assert kept.encode("GNU Editor").ids != kept.encode("gnu editor").ids
    assert lowered.encode("GNU Editor").ids == lowered.encode("gnu editor").ids


def test_special_token_in_a_text_is_text_for_us_and_for_transformers(texts, tmp_path):
    tokenizer = trained(texts, tmp_path, "wordpiece")
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    for text in texts[:20] + ODD:
        ids = load_tokenizer(tmp_path).encode(text).ids
        assert tokenizer.encode(text).ids == ids
        assert theirs(text).input_ids == ids
    assert MASK not in tokenizer.encode("a [MASK] b").ids
    assert theirs.model_max_length == 64
    assert theirs.mask_token_id == MASK


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_vocabulary_beyond_the_text_is_bad_input(tmp_path, kind):
    with pytest.raises(InputError, match=r"tokenizer\.vocab_size: 500 asked for, .* yields only \d+ distinct"):
        trained(["one small text"] * 3, tmp_path, kind)
    with pytest.raises(InputError, match="yields only"):
        trained([], tmp_path / "empty", kind)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_vocabulary_below_the_alphabet_is_bad_input(tmp_path, kind):
    texts = ["".join(map(chr, range(start, start + 90))) for start in range(0x4E00, 0x4E00 + 450, 90)]
    settings = Tokenizer.model_construct(kind=kind, vocab_size=250, lowercase=False)
    with pytest.raises(InputError, match=r"250 asked for, but single characters alone take \d+; set .* to more than"):
        train_tokenizer(texts, settings, 64, tmp_path)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_fingerprint_is_that_of_what_decides_ids(texts, tmp_path, kind):
    trained(texts, tmp_path / "one", kind)
    trained(texts, tmp_path / "other", kind, lowercase=True)
    AutoTokenizer.from_pretrained(tmp_path / "one", model_max_length=9).save_pretrained(tmp_path / "saved")
    prints = {name: tokenizer_fingerprint(tmp_path / name) for name in ("one", "other", "saved")}
    assert prints["saved"] == prints["one"] != prints["other"]


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"model": {}}'])
def test_fingerprint_of_what_is_no_tokenizer(tmp_path, content):
    with pytest.raises(InputError, match="no tokenizer here"):
        tokenizer_fingerprint(tmp_path)
    (tmp_path / "tokenizer.json").write_text(content)
    with pytest.raises(InputError, match=r"tokenizer\.json: not a tokenizer of the library tokenizers"):
        tokenizer_fingerprint(tmp_path)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_other_processes_learn_the_same_bytes(texts, tmp_path, kind):
    trained(texts, tmp_path / "here", kind)
    (tmp_path / "texts").write_text("\0".join(texts), encoding="utf-8")
    program = (
        "import sys; from pathlib import Path; from lmforge.recipe.schema import Tokenizer;"
        "from lmforge.tokenization.tokenizer import train_tokenizer; place = Path(sys.argv[1]);"
        "texts = (place / 'texts').read_text(encoding='utf-8').split(chr(0));"
        "train_tokenizer(texts, Tokenizer(kind=sys.argv[2], vocab_size=500), 64, place / 'there')"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path), kind], check=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert (tmp_path / "here" / name).read_bytes() == (tmp_path / "there" / name).read_bytes()


def test_what_is_no_tokenizer_is_bad_input(tmp_path):
    with pytest.raises(InputError, match="no tokenizer here"):
        load_tokenizer(tmp_path)
