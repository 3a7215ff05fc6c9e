"""A language model with the weights of a directory, for pre-training that goes on from it.

The directory may hold any head of the same architecture, a classifier's for instance: what it lacks for the objective
is drawn from torch's global generator and named, and what the objective has no use for is left out.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from transformers import AutoConfig, ElectraForPreTraining, PreTrainedConfig, PreTrainedModel

from models.architectures import language_model_class
from models.configurations import with_dropout
from models.electra import GENERATOR_SHARE, DiscriminatorWithGenerator
from models.fitting import misfit

# A classifier on T5 calls the network inside otherwise than every other model on it.
_RENAMED = {"t5": {r"^transformer\.": ""}}


class Started(NamedTuple):
    """A model, and the names of its weights that are new, sorted."""

    model: PreTrainedModel
    drawn: tuple[str, ...]


def read_config(start: Path, dropout: float) -> PreTrainedConfig:
    """The configuration of a model directory with another dropout; the names of a classifier's labels are left out."""
    # Modules that are built for a dropout of zero have no place for another one, so it is set before they are built.
    config = AutoConfig.from_pretrained(start, local_files_only=True, trust_remote_code=False)
    config.update({"num_labels": 2, "problem_type": None})
    return with_dropout(config, dropout)


def started_language_model(
    objective: str, start: Path, *, dropout: float, vocab_size: int, generator_share: float = GENERATOR_SHARE
) -> Started:
    """The language model for `objective` that goes on from `start`.

    vocab_size: ids that the objective needs; a model with fewer gets rows of embeddings for the rest. Raises ValueError
    when the architecture cannot learn the objective or most weights are missing, OSError where there is no model.
    """
    config = read_config(start, dropout)
    if reason := misfit(objective, config.model_type):
        raise ValueError(reason)
    detector = objective == "replaced_token_detection"
    kind = ElectraForPreTraining if detector else language_model_class(objective)
    network, report = kind.from_pretrained(
        start,
        config=config,
        local_files_only=True,
        trust_remote_code=False,
        dtype="float32",
        output_loading_info=True,
        key_mapping=_RENAMED.get(config.model_type),
    )
    model: Any = network
    drawn = set(report["missing_keys"])
    if 2 * len(drawn) > len(network.state_dict()):
        raise ValueError(f"it lacks most of the weights of a {type(network).__name__}, {min(drawn)} for instance")
    if vocab_size > config.vocab_size:
        drawn |= {f"embeddings of {vocab_size - config.vocab_size} tokens"}
        model.resize_token_embeddings(vocab_size, mean_resizing=False)
    if detector:
        model = DiscriminatorWithGenerator(model.config, generator_share)
        # The generator of a detector that was released is gone. Both share their embeddings.
        model.load_state_dict(network.state_dict(), strict=False)
        drawn |= {"generator"}
    return Started(model, tuple(sorted(drawn)))
