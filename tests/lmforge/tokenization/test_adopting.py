"""The tokenizer of a start keeps its ids; what blocks cannot be made with is refused by name."""

from __future__ import annotations

import json

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer

from lmforge.errors import InputError
from lmforge.tokenization.adopting import AdoptedTokenizerUnit
from lmforge.tokenization.tokenizer import load_tokenizer, num_special, tokenizer_fingerprint

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def adopted(start, tmp_path):
    out = tmp_path / "adopted"
    out.mkdir()
    AdoptedTokenizerUnit(start, 32).build(out)
    return out


def written(tokens, path, frame=("[CLS]", "[SEP]")):
    """A WordPiece tokenizer whose ids are the places in `tokens`."""
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens([token for token in SPECIAL if token in tokens])
    if frame:
        first, last = frame
        named = [(token, vocabulary[token]) for token in frame]
        tokenizer.post_processor = processors.TemplateProcessing(single=f"{first} $A {last}", special_tokens=named)
    path.mkdir()
    tokenizer.save(str(path / "tokenizer.json"))
    return path


def test_a_tokenizer_of_ours_stays_what_it_is(training_data, tmp_path):
    start = training_data / "tokenizer"
    out = adopted(start, tmp_path)
    assert tokenizer_fingerprint(out) == tokenizer_fingerprint(start)
    assert AutoTokenizer.from_pretrained(out, local_files_only=True).model_max_length == 32


def test_sentinels_behind_its_tokens_are_left_out(training_data, tmp_path):
    tokenizer = AutoTokenizer.from_pretrained(training_data / "tokenizer", local_files_only=True)
    tokenizer.add_special_tokens({"extra_special_tokens": [f"<extra_id_{number}>" for number in range(100)]})
    tokenizer.save_pretrained(tmp_path / "start")
    assert load_tokenizer(tmp_path / "start").get_vocab_size() == 700
    out = adopted(tmp_path / "start", tmp_path)
    assert tokenizer_fingerprint(out) == tokenizer_fingerprint(training_data / "tokenizer")


def test_that_of_bert_is_taken_with_its_free_places(tmp_path):
    """As in BERT's vocabulary: [PAD], free places, the other special tokens, text."""
    tokens = ["[PAD]", *(f"[unused{number}]" for number in range(20)), *SPECIAL[1:], "a", "word", "##s"]
    start = written(tokens, tmp_path / "start")
    content = json.loads((start / "tokenizer.json").read_text())
    content["truncation"] = {"max_length": 3, "strategy": "LongestFirst", "stride": 0, "direction": "Right"}
    (start / "tokenizer.json").write_text(json.dumps(content))
    tokenizer = load_tokenizer(adopted(start, tmp_path))
    assert num_special(tokenizer) == 25
    assert tokenizer.encode("a words a").tokens == ["[CLS]", "a", "word", "##s", "a", "[SEP]"], "nothing is cut"


@pytest.mark.parametrize(
    ("tokens", "frame", "message"),
    [
        (["[PAD]", "[UNK]", "a"], None, r"lacks \[CLS\], \[SEP\], \[MASK\]"),
        ([*SPECIAL[1:], "[PAD]", "a"], ("[CLS]", "[SEP]"), r"another token than \[PAD\] as its id 0"),
        ([*SPECIAL, "a"], None, r"frames a text as nothing and not as \[CLS\] text \[SEP\]"),
        ([*SPECIAL, "a"], ("[SEP]", "[CLS]"), r"frames a text as \[SEP\] \[CLS\]"),
        (["[PAD]", "a", *SPECIAL[1:]], ("[CLS]", "[SEP]"), "ordinary tokens before its special ones, such as 'a'"),
        ([*SPECIAL, *map(str, range(65_536))], ("[CLS]", "[SEP]"), "has 65,541 tokens; at most 65,536 fit"),
    ],
)
def test_what_makes_no_blocks_is_refused(tmp_path, tokens, frame, message):
    start = written(tokens, tmp_path / "start", frame)
    with pytest.raises(InputError, match=message):
        adopted(start, tmp_path)


def test_the_unit_is_found_by_what_decides_the_ids(training_data, tmp_path):
    one = AdoptedTokenizerUnit(training_data / "tokenizer", 32).request()
    out = adopted(training_data / "tokenizer", tmp_path)
    assert AdoptedTokenizerUnit(out, 32).request().key == one.key
    assert AdoptedTokenizerUnit(out, 64).request().key != one.key
