"""The network of a training run: with new weights, or with those of a directory that it starts from."""

from __future__ import annotations

import logging

from transformers import PreTrainedModel

from lmforge.errors import InputError
from lmforge.recipe.optimization import Pretraining
from lmforge.training.objectives import extra_tokens, special_ids
from lmforge.training.spec import TrainingSpec
from lmforge.wording import listed
from models.architectures import Special, build_config, classifier, language_model
from models.fitting import network_of
from models.starting import read_config, started_language_model

logger = logging.getLogger(__name__)

# Positions are a table in BERT and GPT-2: one size for both programs lets fine-tuning use longer texts.
MIN_POSITIONS = 512


def build_model(spec: TrainingSpec) -> PreTrainedModel:
    """The network that the spec asks for; new weights are drawn from torch's global generator and named in the log.

    Raises InputError for a network that cannot learn the objective, and where start, tokenizer and texts do not fit.
    """
    special = special_ids(spec.tokenizer, spec.settings)
    if spec.start is None:
        return _new(spec, special)
    try:
        model = _started(spec, special)
    except (OSError, ValueError) as error:
        raise InputError(f"{spec.start}: no model that can be started from: {error}") from error
    # An architecture with relative positions has no end of them.
    length = spec.settings.max_seq_length
    if length > (positions := getattr(model.config, "max_position_embeddings", length)):
        raise InputError(f"max_seq_length {length} is more than the {positions} positions of {spec.start}")
    if special.vocab_size > model.config.vocab_size:
        raise InputError(
            f"{spec.tokenizer} has {special.vocab_size} tokens, but {spec.start} has {model.config.vocab_size}"
        )
    return model


def _new(spec: TrainingSpec, special: Special) -> PreTrainedModel:
    settings, labels = spec.settings, list(spec.labels)
    positions = max(MIN_POSITIONS, settings.max_seq_length)
    try:
        if spec.network is not None:
            config = read_config(spec.network, settings.dropout)
        else:
            config = build_config(
                spec.architecture, spec.size, special, max_positions=positions, dropout=settings.dropout
            )
        if isinstance(settings, Pretraining):
            network = network_of(settings.objectives)
            return language_model(network, config, generator_share=settings.generator_share)
        return _padding(classifier(labels, config=config), special)
    except (OSError, ValueError) as error:
        raise InputError(f"{spec.name}: {error}") from error


def _padding(model: PreTrainedModel, special: Special) -> PreTrainedModel:
    # A decoder judges a text by its last token and finds that by what pads, which GPT-2 and Llama do not name.
    if model.config.pad_token_id is None:
        model.config.pad_token_id = special.pad
    return model


def _started(spec: TrainingSpec, special: Special) -> PreTrainedModel:
    assert spec.start is not None
    settings = spec.settings
    if not isinstance(settings, Pretraining):
        return _padding(classifier(list(spec.labels), start=spec.start, dropout=settings.dropout), special)
    model, drawn = started_language_model(
        network_of(settings.objectives),
        spec.start,
        dropout=settings.dropout,
        # The tokenizer itself must fit; sentinels of spans may be new to the model.
        vocab_size=special.vocab_size if extra_tokens(settings) else 0,
        generator_share=settings.generator_share,
    )
    if drawn:
        logger.info("%s: not in %s, drawn from the seed: %s", spec.name, spec.start, listed(drawn))
    return model
