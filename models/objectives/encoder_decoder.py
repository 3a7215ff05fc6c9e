"""What the objectives of encoder-decoders share: the loss of each target token, given the encoder's input.

A batch has `input_ids`, `attention_mask` and `labels`; the decoder's input is the labels moved one to the right.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional
from transformers import PreTrainedModel

from models.heads import prediction_head
from models.objectives.base import Batch, Counts
from models.objectives.masked_lm import IGNORED


def token_losses(model: PreTrainedModel, batch: Batch) -> tuple[Tensor, Tensor]:
    """Losses in nats and whether the most probable token is the right one, both `[n, length]` like `labels`.

    Both are 0 where the label is ignored; a row's sum of losses is minus the log-probability of its whole target.
    """
    labels = batch["labels"]
    logits = prediction_head(model)(_decoded(model, batch))  # [n, length, vocab_size]
    losses = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="none", ignore_index=IGNORED)
    return losses.view_as(labels), logits.argmax(-1) == labels


def example_losses(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Mean loss of a row's target tokens in nats, `[n]`."""
    losses, _ = token_losses(model, batch)
    return losses.sum(1) / (batch["labels"] != IGNORED).sum(1).clamp(min=1)


def target_counts(batch: Batch) -> Counts:
    """How many tokens the target of a batch has."""
    return {"tokens": max(1, int((batch["labels"] != IGNORED).sum()))}


def target_loss(model: PreTrainedModel, batch: Batch, counts: Counts | None = None) -> Tensor:
    """Mean loss of all target tokens of a batch in nats, a scalar, as `transformers` computes it."""
    wanted = batch["labels"] != IGNORED
    targets = batch["labels"][wanted]
    divisor = (counts or target_counts(batch))["tokens"]
    return prediction_head(model).loss(_decoded(model, batch)[wanted], targets, divisor)


def _decoded(model: PreTrainedModel, batch: Batch) -> Tensor:
    """What the decoder makes of each place of the target, `[n, length, hidden_size]`."""
    called: Any = model
    mask = batch["attention_mask"]
    encoded = called.get_encoder()(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
    hidden: Tensor = called.get_decoder()(
        input_ids=called.prepare_decoder_input_ids_from_labels(batch["labels"]),
        encoder_hidden_states=encoded,
        encoder_attention_mask=mask,
        use_cache=False,
    ).last_hidden_state
    return hidden
