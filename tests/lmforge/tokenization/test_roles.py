"""What each stock tokenizer has for a part, how it frames a document, and what can be learned with it."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import polars as pl
import pytest

from lmforge.errors import InputError
from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.adopting import adopt_tokenizer
from lmforge.tokenization.corpus import tokenize
from lmforge.tokenization.packing import document_file, read_blocks
from lmforge.tokenization.roles import check_objectives, document_tokenizer, roles_of, special_names
from lmforge.tokenization.tokenizer import CLS, MASK, PAD, SEP, UNK, load_tokenizer, train_tokenizer
from tests.stock import BEGIN_OF_TEXT, END_OF_TEXT, STOCK, stock_checkpoint

LLAMA3_END = "<|end_of_text|>"
# Of each: pad, begin, end, mask, unknown, and what stands before and behind a document in blocks.
PARTS = {
    "gpt2": (END_OF_TEXT, END_OF_TEXT, END_OF_TEXT, None, None, [END_OF_TEXT], [END_OF_TEXT]),
    "llama": ("</s>", "<s>", "</s>", None, None, ["<s>"], []),
    "llama3": (LLAMA3_END, BEGIN_OF_TEXT, LLAMA3_END, None, None, [BEGIN_OF_TEXT], []),
    "t5": ("<pad>", None, "</s>", None, "<unk>", [], ["</s>"]),
    "bart": ("<pad>", "<s>", "</s>", "<mask>", None, ["<s>"], ["</s>"]),
    "modernbert": ("[PAD]", "[CLS]", "[SEP]", "[MASK]", None, ["[CLS]"], ["[SEP]"]),
    "bert": ("[PAD]", "[CLS]", "[SEP]", "[MASK]", "[UNK]", ["[CLS]"], ["[SEP]"]),
}


@pytest.fixture(scope="module")
def start(tmp_path_factory, descriptions):
    texts = [row["description"] for row in descriptions]
    return cache(lambda name: stock_checkpoint(name, texts, tmp_path_factory.mktemp(name)))


@pytest.fixture(scope="module")
def adopted(start, tmp_path_factory):
    def adopt(name):
        adopt_tokenizer(start(name), 32, out := tmp_path_factory.mktemp(f"adopted-{name}"))
        return out

    return cache(adopt)


@pytest.mark.parametrize("name", STOCK)
def test_each_part_is_found(adopted, name):
    roles, tokenizer = roles_of(adopted(name)), load_tokenizer(adopted(name))
    parts = (roles.pad, roles.begin, roles.end, roles.mask, roles.unknown)
    found = [None if number is None else tokenizer.id_to_token(number) for number in parts]
    frame = [[tokenizer.id_to_token(number) for number in side] for side in (roles.prefix, roles.suffix)]
    assert (*found, *frame) == PARTS[name]


@pytest.mark.parametrize("name", STOCK)
def test_text_is_made_of_ordinary_tokens_alone(adopted, descriptions, name):
    roles, tokenizer = roles_of(adopted(name)), document_tokenizer(adopted(name))
    assert len(roles.ordinary) == tokenizer.get_vocab_size()
    named = {tokenizer.token_to_id(one) for one in special_names(tokenizer)}
    free = {number for token, number in tokenizer.get_vocab().items() if token.startswith("[unused")}
    assert set(np.flatnonzero(~roles.ordinary)) == named | free
    for row in descriptions[:50]:
        ids = tokenizer.encode(row["description"]).ids
        text = ids[len(roles.prefix) : len(ids) - len(roles.suffix)]
        assert (*ids[: len(roles.prefix)], *text, *ids[len(ids) - len(roles.suffix) :]) == tuple(ids)
        assert all(roles.ordinary[one] or one == roles.unknown for one in text)
        assert text == load_tokenizer(adopted(name)).encode(row["description"], add_special_tokens=False).ids


def test_those_of_ours_are_at_the_front(training_data):
    roles = roles_of(training_data / "tokenizer")
    assert roles[:7] == (PAD, CLS, SEP, MASK, UNK, (CLS,), (SEP,))
    assert (roles.ordinary == (np.arange(600) > MASK)).all()
    assert roles.start == CLS


def test_a_tokenizer_without_unknown_text_has_no_such_token(tmp_path, descriptions):
    texts = [row["description"] for row in descriptions]
    train_tokenizer(texts, Tokenizer(kind="bpe", vocab_size=500), 32, tmp_path)
    assert roles_of(tmp_path).unknown is None


def test_names_are_read_anew_when_a_file_changes_and_in_either_form(adopted, tmp_path):
    for path in adopted("bart").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    assert roles_of(tmp_path).mask is not None
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    changed = config | {"mask_token": None, "pad_token": {"content": "<unk>", "special": True}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(changed))
    assert (roles_of(tmp_path).mask, roles_of(tmp_path).pad) == (None, 3)
    (tmp_path / "tokenizer_config.json").write_text("[]")
    with pytest.raises(InputError, match="not a description of a tokenizer"):
        roles_of(tmp_path)


def test_an_objective_that_needs_another_token_is_refused_with_those_that_fit(adopted):
    check_objectives(adopted("gpt2"), ("causal_lm",))
    check_objectives(adopted("bart"), ("denoising", "span_corruption"))
    with pytest.raises(InputError, match=r"masked_lm needs a token for mask, .* can be learned: span_corruption, caus"):
        check_objectives(adopted("gpt2"), ("causal_lm", "masked_lm"))
    with pytest.raises(InputError, match="next_sentence needs a token for mask and begin"):
        check_objectives(adopted("t5"), ("next_sentence",))


@pytest.mark.parametrize("name", STOCK)
@pytest.mark.parametrize("engine", ["tokenizers", "auto"])
def test_blocks_hold_the_documents_of_a_corpus(start, adopted, clean, rows, workshop, tmp_path, name, engine):
    _, facts = tokenize(clean, tmp_path, Tokenizer(engine=engine), 32, workshop, start(name))
    tokenizer, roles = document_tokenizer(adopted(name)), roles_of(tmp_path / "tokenizer")
    tokens = read_blocks(tmp_path / "train.npy", tmp_path / "tokenizer").reshape(-1)
    ends = np.load(document_file(tmp_path / "train.npy"))
    texts = [row["text"] for row in rows if row["split"] == "train"]
    for first, last, text in zip(ends[:-1], ends[1:], texts, strict=False):
        assert tokens[first:last].tolist() == tokenizer.encode(text).ids
    assert facts["unknown_share"] < 0.1
    assert roles.unknown is not None or facts["unknown_share"] == 0, "the end of a document is no unknown text"
    assert facts["num_special_tokens_in_text"] == 0


def test_of_a_large_vocabulary_ids_take_four_bytes(start, workshop, tmp_path):
    """As in Llama 3, whose ids do not fit into two."""
    directory = tmp_path / "start"
    directory.mkdir()
    content = json.loads((start("gpt2") / "tokenizer.json").read_text())
    vocabulary, added = content["model"]["vocab"], content["added_tokens"]
    vocabulary |= {f"unheard{number}": len(vocabulary) + number for number in range(70_000)}
    added.append(added[0] | {"id": len(vocabulary), "content": "zig", "special": False})
    (directory / "tokenizer.json").write_text(json.dumps(content))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END_OF_TEXT}
    (directory / "tokenizer_config.json").write_text(json.dumps(config))
    (tmp_path / "clean").mkdir()
    texts = [f"zag {'zig ' * 20}zug" for _ in range(40)]
    shard = {"text": texts, "language": "en", "num_words": 22, "split": ["train"] * 30 + ["validation"] * 10}
    for number, frame in enumerate((pl.DataFrame(shard), pl.DataFrame(shard).clear())):
        frame.write_parquet(tmp_path / "clean" / f"part-{number:05}.parquet")
    (tmp_path / "out").mkdir()
    _, facts = tokenize(tmp_path / "clean", tmp_path / "out", Tokenizer(), 32, workshop, directory)
    blocks = read_blocks(tmp_path / "out" / "train.npy", tmp_path / "out" / "tokenizer")
    assert blocks.dtype == np.uint32
    assert blocks.max() == facts["max_token_id"] > 70_000
    expected = document_tokenizer(tmp_path / "out" / "tokenizer").encode(texts[0]).ids
    assert blocks.reshape(-1)[:30].tolist() == expected[:30]
