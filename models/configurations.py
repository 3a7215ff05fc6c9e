"""Named architectures and sizes as data, and the `transformers` configurations made from them.

A size says what one stack of layers is like: encoder-decoders (T5, BART) have two stacks and so more than twice the
weights. Every configuration has [CLS] as its beginning and [SEP] as its end of sequence, as the tokenizer writes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from transformers import (
    BartConfig,
    BertConfig,
    ElectraConfig,
    GPT2Config,
    LlamaConfig,
    ModernBertConfig,
    PreTrainedConfig,
    T5Config,
)


class Size(NamedTuple):
    """Dimensions of a network."""

    num_layers: int
    hidden_size: int
    num_heads: int
    intermediate_size: int


SIZES = {
    "nano": Size(2, 128, 4, 512),
    "micro": Size(3, 192, 3, 768),
    "mini": Size(4, 256, 4, 1024),
    "small": Size(6, 384, 6, 1536),
    "base": Size(12, 768, 12, 3072),
}


class Special(NamedTuple):
    """Ids of the special tokens, -1 for one that the tokenizer lacks, and the vocabulary's size."""

    pad: int
    cls: int
    sep: int
    mask: int
    vocab_size: int


@dataclass(frozen=True)
class _Architecture:
    """How `transformers` calls the dimensions and special tokens of an architecture, and what is fixed in it."""

    config: type[PreTrainedConfig]
    dimensions: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)
    fixed: dict[str, Any] = field(default_factory=dict)
    gated: bool = False


def build_config(
    architecture: str, size: str, special: Special, *, max_positions: int, dropout: float
) -> PreTrainedConfig:
    """A configuration of a named architecture and size. `dropout` holds for embeddings, attention and layers alike.

    Raises ValueError for an unknown name.
    """
    for kind, name, known in (("architecture", architecture, _ARCHITECTURES), ("size", size, SIZES)):
        if name not in known:
            raise ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(known)}")
    chosen = _ARCHITECTURES[architecture]
    values = SIZES[size]._asdict() | {"max_positions": max_positions}
    values["head_size"] = values["hidden_size"] // values["num_heads"]
    if chosen.gated:
        # Gated units have three matrices where an MLP has two: two thirds of the width keep the number of weights.
        values["intermediate_size"] = values["intermediate_size"] * 2 // 3
    dimensions = {name: values[dimension] for name, dimension in chosen.dimensions.items()}
    tokens = {name: getattr(special, token) for name, token in (_TOKENS | chosen.tokens).items()}
    config = chosen.config(vocab_size=special.vocab_size, **dimensions, **tokens, **chosen.fixed)
    return with_dropout(config, dropout)


def with_dropout(config: PreTrainedConfig, dropout: float) -> PreTrainedConfig:
    """The same configuration, changed to another rate wherever its architecture drops something."""
    config.update({name: dropout for name in _DROPOUTS if hasattr(config, name)})
    return config


_DROPOUTS = (
    "hidden_dropout_prob",
    "attention_probs_dropout_prob",
    "classifier_dropout",
    "embedding_dropout",
    "attention_dropout",
    "mlp_dropout",
    "resid_pdrop",
    "embd_pdrop",
    "attn_pdrop",
    "dropout_rate",
    "dropout",
)
_TOKENS = {"pad_token_id": "pad", "bos_token_id": "cls", "eos_token_id": "sep"}
_DIMENSIONS = {
    "hidden_size": "hidden_size",
    "num_hidden_layers": "num_layers",
    "num_attention_heads": "num_heads",
    "intermediate_size": "intermediate_size",
    "max_position_embeddings": "max_positions",
}
_STACK = {"layers": "num_layers", "attention_heads": "num_heads", "ffn_dim": "intermediate_size"}
_STACKS = {f"{stack}_{name}": dimension for stack in ("encoder", "decoder") for name, dimension in _STACK.items()}
_ARCHITECTURES = {
    "bert": _Architecture(BertConfig, _DIMENSIONS),
    "modernbert": _Architecture(
        ModernBertConfig,
        _DIMENSIONS,
        {"cls_token_id": "cls", "sep_token_id": "sep"},
        {"global_attn_every_n_layers": 1, "classifier_pooling": "mean"},
        gated=True,
    ),
    "gpt2": _Architecture(
        GPT2Config,
        {
            "n_embd": "hidden_size",
            "n_layer": "num_layers",
            "n_head": "num_heads",
            "n_inner": "intermediate_size",
            "n_positions": "max_positions",
        },
        # The same function as GPT-2's own `gelu_new`, in one kernel: an eighth of a training step on a CPU.
        fixed={"activation_function": "gelu_pytorch_tanh"},
    ),
    "electra": _Architecture(ElectraConfig, _DIMENSIONS | {"embedding_size": "hidden_size"}),
    # Tied as in GPT-2: in a small model embeddings are most of the weights.
    "llama": _Architecture(LlamaConfig, _DIMENSIONS, fixed={"tie_word_embeddings": True}, gated=True),
    # T5's positions are relative and have no end: what the model was built for is written down for those who load it.
    "t5": _Architecture(
        T5Config,
        {
            "d_model": "hidden_size",
            "d_kv": "head_size",
            "d_ff": "intermediate_size",
            "num_layers": "num_layers",
            "num_heads": "num_heads",
            "max_position_embeddings": "max_positions",
        },
        {"decoder_start_token_id": "pad"},
        {"feed_forward_proj": "gated-gelu"},
        gated=True,
    ),
    "bart": _Architecture(
        BartConfig,
        _STACKS | {"d_model": "hidden_size", "max_position_embeddings": "max_positions"},
        {"decoder_start_token_id": "sep", "forced_eos_token_id": "sep"},
    ),
}
