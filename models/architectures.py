"""Named architectures and sizes as data, built with `transformers` from scratch or from a directory.

A size is `(layers, hidden_size, attention_heads, intermediate_size)`. Every model is a plain `transformers` model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    BertConfig,
    GPT2Config,
    ModernBertConfig,
    PreTrainedConfig,
    PreTrainedModel,
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
    """Ids of the special tokens and the vocabulary's size, as the tokenizer has them."""

    pad: int
    cls: int
    sep: int
    mask: int
    vocab_size: int


def build_config(
    architecture: str, size: str, special: Special, *, max_positions: int, dropout: float
) -> PreTrainedConfig:
    """A configuration of a named architecture and size. `dropout` holds for embeddings, attention and layers alike.

    Raises ValueError for an unknown name.
    """
    for kind, name, known in (("architecture", architecture, _CONFIGS), ("size", size, SIZES)):
        if name not in known:
            raise ValueError(f"unknown {kind} {name!r}: expected one of {', '.join(known)}")
    return _with_dropout(_CONFIGS[architecture](SIZES[size], special, max_positions), dropout)


def language_model(objective: str, config: PreTrainedConfig) -> PreTrainedModel:
    """A language model with new weights, drawn from torch's global generator.

    Raises ValueError when the architecture cannot learn the objective: one that sees both sides of a token would
    copy the answer of causal_lm, and one that sees only the left side has no head for masked_lm.
    """
    looks_ahead = config.model_type not in _CAUSAL
    if looks_ahead == (objective == "causal_lm"):
        fitting = "masked_lm" if looks_ahead else "causal_lm"
        raise ValueError(f"architecture {config.model_type} does not fit objective {objective}: use {fitting}")
    auto = AutoModelForMaskedLM if looks_ahead else AutoModelForCausalLM
    model: PreTrainedModel = auto.from_config(config)
    return model


def classifier(
    labels: list[str], *, config: PreTrainedConfig | None = None, start: Path | None = None, dropout: float = 0.0
) -> PreTrainedModel:
    """A sequence classifier over `labels`: with new weights from `config`, or from the directory `start`.

    `dropout` replaces what the directory was trained with; a `config` has its own.
    """
    names = {"id2label": dict(enumerate(labels)), "label2id": {label: index for index, label in enumerate(labels)}}
    if start is None:
        assert config is not None, "a classifier needs a configuration or a directory to start from"
        config.update(names)
        fresh: PreTrainedModel = AutoModelForSequenceClassification.from_config(config)
        return fresh
    # Modules that are built for a dropout of zero have no place for another one, so it is set before they are built.
    loaded = AutoConfig.from_pretrained(start, local_files_only=True, trust_remote_code=False, **names)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        start,
        config=_with_dropout(loaded, dropout),
        local_files_only=True,
        trust_remote_code=False,
        dtype="float32",
    )
    return model


def prediction_head(model: PreTrainedModel) -> Callable[[Tensor], Tensor]:
    """The map from hidden states `[n, hidden_size]` to logits `[n, vocab_size]`, for chosen positions only."""
    head: Callable[[Tensor], Tensor] = _HEADS[model.config.model_type](model)
    return head


def _bert(size: Size, special: Special, max_positions: int) -> BertConfig:
    return BertConfig(
        vocab_size=special.vocab_size,
        hidden_size=size.hidden_size,
        num_hidden_layers=size.num_layers,
        num_attention_heads=size.num_heads,
        intermediate_size=size.intermediate_size,
        max_position_embeddings=max_positions,
        pad_token_id=special.pad,
    )


def _modernbert(size: Size, special: Special, max_positions: int) -> ModernBertConfig:
    return ModernBertConfig(
        vocab_size=special.vocab_size,
        hidden_size=size.hidden_size,
        num_hidden_layers=size.num_layers,
        num_attention_heads=size.num_heads,
        # GeGLU has three matrices where an MLP has two: two thirds of the width keep the number of parameters.
        intermediate_size=size.intermediate_size * 2 // 3,
        max_position_embeddings=max_positions,
        global_attn_every_n_layers=1,
        classifier_pooling="mean",
        pad_token_id=special.pad,
        cls_token_id=special.cls,
        sep_token_id=special.sep,
        bos_token_id=special.cls,
        eos_token_id=special.sep,
    )


def _gpt2(size: Size, special: Special, max_positions: int) -> GPT2Config:
    return GPT2Config(
        vocab_size=special.vocab_size,
        n_embd=size.hidden_size,
        n_layer=size.num_layers,
        n_head=size.num_heads,
        n_inner=size.intermediate_size,
        n_positions=max_positions,
        pad_token_id=special.pad,
        bos_token_id=special.cls,
        eos_token_id=special.sep,
    )


def _with_dropout(config: PreTrainedConfig, dropout: float) -> PreTrainedConfig:
    config.update({name: dropout for name in _DROPOUTS if hasattr(config, name)})
    return config


_CAUSAL = ("gpt2",)
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
)
_CONFIGS: dict[str, Callable[[Size, Special, int], PreTrainedConfig]] = {
    "bert": _bert,
    "modernbert": _modernbert,
    "gpt2": _gpt2,
}
_HEADS: dict[str, Callable[[Any], Callable[[Tensor], Tensor]]] = {
    "bert": lambda model: model.cls,
    "modernbert": lambda model: lambda hidden: model.decoder(model.head(hidden)),
    "gpt2": lambda model: model.lm_head,
}
