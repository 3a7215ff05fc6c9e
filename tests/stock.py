"""Small checkpoints as others publish them: the tokenizer classes of transformers, learned on a little text.

Which special tokens there are, where in the vocabulary they stand and what frames a text is that of the stock ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BartTokenizerFast,
    BertConfig,
    BertForMaskedLM,
    BertTokenizerFast,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2TokenizerFast,
    LlamaConfig,
    LlamaForCausalLM,
    LlamaTokenizerFast,
    ModernBertConfig,
    ModernBertForMaskedLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
    T5TokenizerFast,
)

STOCK = ("gpt2", "llama", "llama3", "t5", "bart", "modernbert", "bert")
END_OF_TEXT, BEGIN_OF_TEXT = "<|endoftext|>", "<|begin_of_text|>"
_PIECES = 400
_POSITIONS = 64


def stock_tokenizer(name: str, texts: Sequence[str]) -> Any:
    """A tokenizer like that of a published model."""
    return _TOKENIZERS[name](texts)


def stock_checkpoint(name: str, texts: Sequence[str], path: Path) -> Path:
    """A model directory with random weights and such a tokenizer."""
    tokenizer = stock_tokenizer(name, texts)
    torch.manual_seed(3)
    model = _MODELS[name](len(tokenizer), tokenizer)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def _byte_pairs(texts: Sequence[str], vocabulary: Sequence[str] = ()) -> dict[str, Any]:
    """Vocabulary and merges of byte-level BPE; `vocabulary` stands in front of the learned tokens."""
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=_PIECES, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())
    )
    learned.train_from_iterator(texts, trainer)
    return _learned(learned, vocabulary)


def _learned(tokenizer: Tokenizer, before: Sequence[str], behind: Sequence[str] = ()) -> dict[str, Any]:
    pieces = sorted(tokenizer.get_vocab(), key=tokenizer.token_to_id)
    tokens = [*before, *(piece for piece in pieces if piece not in before), *behind]
    merges = [tuple(pair) for pair in _model_of(tokenizer)["merges"]]
    return {"vocab": {token: number for number, token in enumerate(tokens)}, "merges": merges}


def _model_of(tokenizer: Tokenizer) -> dict[str, Any]:
    import json

    model: dict[str, Any] = json.loads(tokenizer.to_str())["model"]
    return model


def _gpt2(texts: Sequence[str]) -> Any:
    learned = _byte_pairs(texts)
    learned["vocab"][END_OF_TEXT] = len(learned["vocab"])
    return GPT2TokenizerFast(**learned)


def _llama(texts: Sequence[str]) -> Any:
    """SentencePiece's BPE with a token for each byte; no padding."""
    before = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    learned.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=_PIECES, show_progress=False))
    return LlamaTokenizerFast(**_learned(learned, before), add_bos_token=True, add_eos_token=False)


def _llama3(texts: Sequence[str]) -> Any:
    """Byte-level BPE with special tokens behind all others, some of them reserved; no unknown token, no padding."""
    learned = _byte_pairs(texts)
    tokenizer = Tokenizer(models.BPE(**learned, ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_regex(r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s*\p{L}+|\s+"), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    reserved = [f"<|reserved_special_token_{number}|>" for number in range(4)]
    tokenizer.add_special_tokens([BEGIN_OF_TEXT, "<|end_of_text|>", *reserved])
    begin = tokenizer.token_to_id(BEGIN_OF_TEXT)
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=True),
            processors.TemplateProcessing(single=f"{BEGIN_OF_TEXT} $A", special_tokens=[(BEGIN_OF_TEXT, begin)]),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN_OF_TEXT,
        eos_token="<|end_of_text|>",
        clean_up_tokenization_spaces=True,
    )


def _regex(pattern: str) -> Any:
    from tokenizers import Regex

    return Regex(pattern)


def _t5(texts: Sequence[str]) -> Any:
    """A Unigram vocabulary that ends with the sentinels, the first of them last."""
    learned = Tokenizer(models.Unigram())
    learned.normalizer = normalizers.NFKC()
    learned.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=_PIECES, special_tokens=["<pad>", "</s>", "<unk>"], unk_token="<unk>", show_progress=False
    )
    learned.train_from_iterator(texts, trainer)
    pieces = [tuple(piece) for piece in _model_of(learned)["vocab"]]
    sentinels = [(f"<extra_id_{number}>", 0.0) for number in reversed(range(100))]
    return T5TokenizerFast(vocab=[*pieces, *sentinels])


def _bart(texts: Sequence[str]) -> Any:
    learned = _byte_pairs(texts, ["<s>", "<pad>", "</s>", "<unk>"])
    learned["vocab"]["<mask>"] = len(learned["vocab"])
    return BartTokenizerFast(**learned)


def _modernbert(texts: Sequence[str]) -> Any:
    """Byte-level BPE with BERT's special tokens and free places behind all others."""
    tokenizer = Tokenizer(models.BPE(**_byte_pairs(texts, ["|||IP_ADDRESS|||", "<|padding|>"])))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    names = ["[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    tokenizer.add_special_tokens(["<|padding|>", *names])
    tokenizer.add_tokens(["|||IP_ADDRESS|||", *(f"[unused{number}]" for number in range(8))])
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    unk, cls, sep, pad, mask = names
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token=unk, cls_token=cls, sep_token=sep, pad_token=pad, mask_token=mask
    )


def _bert(texts: Sequence[str]) -> Any:
    learned = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    learned.normalizer = normalizers.BertNormalizer()
    learned.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    learned.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=_PIECES, show_progress=False))
    free = [f"[unused{number}]" for number in range(20)]
    pieces = sorted(learned.get_vocab(), key=learned.token_to_id)
    tokens = ["[PAD]", *free[:9], "[UNK]", "[CLS]", "[SEP]", "[MASK]", *free[9:], *pieces]
    return BertTokenizerFast(vocab={token: number for number, token in enumerate(tokens)})


_SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def _decoder(size: int, tokenizer: Any) -> PreTrainedModel:
    ids = {"bos_token_id": tokenizer.bos_token_id, "eos_token_id": tokenizer.eos_token_id}
    return LlamaForCausalLM(LlamaConfig(vocab_size=size, max_position_embeddings=_POSITIONS, **_SMALL, **ids))


def _bart_model(size: int, tokenizer: Any) -> PreTrainedModel:
    stacks = {f"{side}_{name}": 2 for side in ("encoder", "decoder") for name in ("layers", "attention_heads")}
    sizes = {"d_model": 32, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": _POSITIONS}
    return BartForConditionalGeneration(BartConfig(vocab_size=size, **stacks, **sizes))


def _modernbert_model(size: int, tokenizer: Any) -> PreTrainedModel:
    names = ("cls", "sep", "pad", "bos", "eos")
    known = {"bos": "cls", "eos": "sep"}
    ids = {f"{name}_token_id": getattr(tokenizer, f"{known.get(name, name)}_token_id") for name in names}
    return ModernBertForMaskedLM(
        ModernBertConfig(vocab_size=size, max_position_embeddings=_POSITIONS, **_SMALL, **ids, local_attention=16)
    )


_TOKENIZERS: dict[str, Callable[[Sequence[str]], Any]] = {
    "gpt2": _gpt2, "llama": _llama, "llama3": _llama3, "t5": _t5, "bart": _bart, "modernbert": _modernbert,
    "bert": _bert,
}  # fmt: skip
_MODELS: dict[str, Callable[[int, Any], PreTrainedModel]] = {
    "gpt2": lambda size, tokenizer: GPT2LMHeadModel(
        GPT2Config(
            vocab_size=size, n_embd=32, n_layer=2, n_head=2, n_positions=_POSITIONS,
            bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id,
        )
    ),
    "llama": _decoder,
    "llama3": _decoder,
    # Rows of embeddings up to a round number, as the published ones have.
    "t5": lambda size, tokenizer: T5ForConditionalGeneration(
        T5Config(
            vocab_size=size + 28, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, decoder_start_token_id=0
        )
    ),
    "bart": _bart_model,
    "modernbert": _modernbert_model,
    "bert": lambda size, tokenizer: BertForMaskedLM(
        BertConfig(vocab_size=size, max_position_embeddings=_POSITIONS, **_SMALL)
    ),
}  # fmt: skip
