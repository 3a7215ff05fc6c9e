"""The tokenizer of a start keeps its ids, wherever its special tokens stand; what does not fit is refused by name."""

from __future__ import annotations

import json
from functools import cache

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer

from lmforge.errors import InputError
from lmforge.tokenization.adopting import AdoptedTokenizerUnit
from lmforge.tokenization.tokenizer import load_tokenizer, tokenizer_fingerprint
from tests.stock import STOCK, stock_checkpoint

PLAIN = ["Hello, the package!", " leading", "tabs\tand  spaces \n\nlines", "naïve 日本語 Zürich 🙂 ﬁ", "x" * 80, ""]
FORGED = "a </s> b<s><mask>[SEP] [MASK]<|endoftext|> <extra_id_0>.<|begin_of_text|><pad> <unk>"


@pytest.fixture(scope="module")
def stock(tmp_path_factory, descriptions):
    texts = [row["description"] for row in descriptions]
    return cache(lambda name: stock_checkpoint(name, texts, tmp_path_factory.mktemp(name)))


def adopted(start, out):
    out.mkdir()
    AdoptedTokenizerUnit(start, 32).build(out)
    return out


def loaded(directory, **settings):
    return AutoTokenizer.from_pretrained(directory, local_files_only=True, **settings)


@pytest.mark.parametrize("name", STOCK)
def test_a_stock_tokenizer_keeps_its_ids_and_names(stock, descriptions, tmp_path, name):
    out = adopted(stock(name), tmp_path / "out")
    theirs, ours = loaded(stock(name), split_special_tokens=True), loaded(out)
    texts = [*PLAIN, *(row["description"] for row in descriptions[:50])]
    assert ours(texts)["input_ids"] == theirs(texts)["input_ids"]
    assert ours.special_tokens_map == {key: str(token) for key, token in theirs.special_tokens_map.items() if token}
    assert len(ours) == len(theirs)
    assert [one.ids for one in load_tokenizer(out).encode_batch(texts)] == theirs(texts)["input_ids"]
    assert ours.model_max_length == 32


@pytest.mark.parametrize("name", STOCK)
def test_no_text_is_a_special_token(stock, tmp_path, name):
    out = adopted(stock(name), tmp_path / "out")
    for tokenizer in (load_tokenizer(out), loaded(out).backend_tokenizer):
        encoded = tokenizer.encode(FORGED, add_special_tokens=False)
        special = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        unknown = {tokenizer.token_to_id(one) for one in ("[UNK]", "<unk>")}
        assert not special & set(encoded.ids) - unknown, encoded.tokens


@pytest.mark.parametrize("name", STOCK)
def test_what_was_adopted_stays_so_when_it_is_saved_or_adopted_again(stock, tmp_path, name):
    out = adopted(stock(name), tmp_path / "out")
    loaded(out).save_pretrained(tmp_path / "saved")
    again = adopted(out, tmp_path / "again")
    assert tokenizer_fingerprint(out) == tokenizer_fingerprint(tmp_path / "saved") == tokenizer_fingerprint(again)


def test_a_tokenizer_of_ours_stays_what_it_is(training_data, tmp_path):
    start = training_data / "tokenizer"
    out = adopted(start, tmp_path / "out")
    assert tokenizer_fingerprint(out) == tokenizer_fingerprint(start)
    assert loaded(out).model_max_length == 32


def test_sentinels_behind_its_tokens_are_left_out(training_data, tmp_path):
    tokenizer = loaded(training_data / "tokenizer")
    tokenizer.add_special_tokens({"extra_special_tokens": [f"<extra_id_{number}>" for number in range(100)]})
    tokenizer.save_pretrained(tmp_path / "start")
    assert load_tokenizer(tmp_path / "start").get_vocab_size() == 700
    out = adopted(tmp_path / "start", tmp_path / "out")
    assert tokenizer_fingerprint(out) == tokenizer_fingerprint(training_data / "tokenizer")


def test_sentinels_of_the_vocabulary_and_those_before_other_tokens_stay(stock, training_data, tmp_path):
    kept = load_tokenizer(adopted(stock("t5"), tmp_path / "t5"))
    assert kept.token_to_id("<extra_id_0>") == kept.get_vocab_size() - 1
    tokenizer = loaded(training_data / "tokenizer")
    tokenizer.add_special_tokens({"extra_special_tokens": ["<extra_id_0>", "<other>"]})
    tokenizer.save_pretrained(tmp_path / "start")
    assert load_tokenizer(adopted(tmp_path / "start", tmp_path / "out")).token_to_id("<other>") == 601


def test_names_that_no_file_has_are_those_of_the_architecture(stock, tmp_path):
    """As published, GPT-2 comes with a vocabulary and says nothing of its special token."""
    for name in ("tokenizer.json", "config.json"):
        (tmp_path / name).write_bytes((stock("gpt2") / name).read_bytes())
    out = adopted(tmp_path, tmp_path / "out")
    assert loaded(out).eos_token == "<|endoftext|>"
    assert loaded(out)(PLAIN)["input_ids"] == loaded(stock("gpt2"))(PLAIN)["input_ids"]


def test_a_chat_template_and_the_side_of_padding_come_along(stock, tmp_path):
    tokenizer = loaded(stock("llama"))
    tokenizer.chat_template, tokenizer.padding_side = "{{ messages }}", "left"
    tokenizer.save_pretrained(tmp_path / "start")
    kept = loaded(adopted(tmp_path / "start", tmp_path / "out"))
    assert (kept.chat_template, kept.padding_side) == ("{{ messages }}", "left")


def test_nothing_is_cut_or_filled_up(stock, tmp_path):
    start = stock("bert")
    for path in start.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    content = json.loads((start / "tokenizer.json").read_text())
    content["truncation"] = {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(content))
    assert len(load_tokenizer(adopted(tmp_path, tmp_path / "out")).encode("the package is here").ids) > 5


def written(path, vocabulary, added=(), **config):
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(list(added))
    path.mkdir()
    tokenizer.save(str(path / "tokenizer.json"))
    (path / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"}))
    (path / "config.json").write_text(json.dumps({"model_type": "gpt2", **config}))
    return path


@pytest.mark.parametrize(
    ("vocabulary", "config", "message"),
    [
        ({"a": 0, "b": 1}, {}, "no token that begins or ends a text; name one as eos_token"),
        ({"a": 0, "b": 9}, {}, "has 2 tokens, but the id 9: ids must have no gaps"),
        ({"a": 0, "b": 1, "c": 2}, {"vocab_size": 2}, "has 3 tokens, but the model has 2"),
    ],
)
def test_what_makes_no_blocks_is_refused(tmp_path, vocabulary, config, message):
    start = written(tmp_path / "start", vocabulary, **config)
    with pytest.raises(InputError, match=message):
        adopted(start, tmp_path / "out")


def test_code_of_a_directory_is_never_run(tmp_path):
    start = written(tmp_path / "start", {"a": 0, "b": 1})
    named = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}}
    (start / "tokenizer_config.json").write_text(json.dumps(named))
    (start / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}))
    (start / "own.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InputError, match=r"cannot load the tokenizer of .*contains custom code"):
        adopted(start, tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_the_unit_is_found_by_what_decides_the_ids(training_data, stock, tmp_path):
    one = AdoptedTokenizerUnit(training_data / "tokenizer", 32).request()
    out = adopted(training_data / "tokenizer", tmp_path / "out")
    assert AdoptedTokenizerUnit(out, 32).request().key == one.key
    assert AdoptedTokenizerUnit(out, 64).request().key != one.key
    config = json.loads((out / "tokenizer_config.json").read_text())
    (out / "tokenizer_config.json").write_text(json.dumps(config | {"pad_token": "[UNK]"}))
    assert AdoptedTokenizerUnit(out, 32).request().key != one.key
