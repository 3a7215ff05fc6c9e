"""Models with new weights or from a directory: language models, classifiers, and the heads that predict tokens.

Every model that is released is a plain `transformers` model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    AutoModelForPreTraining,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

from models.configurations import SIZES, Size, Special, build_config, with_dropout
from models.electra import GENERATOR_SHARE, DiscriminatorWithGenerator
from models.fitting import misfit

__all__ = [
    "SIZES",
    "Size",
    "Special",
    "build_config",
    "classifier",
    "language_model",
    "language_model_class",
    "load_language_model",
    "released",
]


def language_model(
    objective: str, config: PreTrainedConfig, *, generator_share: float = GENERATOR_SHARE
) -> PreTrainedModel:
    """A language model with new weights, drawn from torch's global generator.

    generator_share: size of the generator that trains beside a replaced-token detector, as a share of its own.
    Raises ValueError when the architecture cannot learn the objective, naming what fits.
    """
    if reason := misfit(objective, config.model_type):
        raise ValueError(reason)
    if objective == "replaced_token_detection":
        return DiscriminatorWithGenerator(config, generator_share)
    model: PreTrainedModel = _LANGUAGE_MODELS[objective].from_config(config)
    return model


def language_model_class(objective: str) -> Any:
    """The class of transformers, by architecture, whose networks have the head for an objective."""
    return _LANGUAGE_MODELS[objective]


def load_language_model(objective: str, directory: Path) -> PreTrainedModel:
    """What a pre-training run with `objective` has left in `directory`, for evaluation.

    For replaced_token_detection that is the detector alone, which gives no probabilities of tokens.
    """
    model: PreTrainedModel = _LANGUAGE_MODELS[objective].from_pretrained(
        directory, local_files_only=True, trust_remote_code=False, dtype="float32"
    )
    return model.eval()


def released(model: PreTrainedModel) -> PreTrainedModel:
    """The part of a trained network that others get: all of it, but for a detector, which leaves its generator."""
    return model.discriminator() if isinstance(model, DiscriminatorWithGenerator) else model


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
        config=with_dropout(loaded, dropout),
        local_files_only=True,
        trust_remote_code=False,
        dtype="float32",
    )
    return model


_LANGUAGE_MODELS: dict[str, Any] = {
    "masked_lm": AutoModelForMaskedLM,
    "contrastive_masked_lm": AutoModelForMaskedLM,
    "next_sentence": AutoModelForPreTraining,
    "sentence_order": AutoModelForPreTraining,
    "replaced_token_detection": AutoModelForPreTraining,
    "causal_lm": AutoModelForCausalLM,
    "span_corruption": AutoModelForSeq2SeqLM,
    "denoising": AutoModelForSeq2SeqLM,
}
