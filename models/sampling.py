"""What a language model answers: the likely tokens at masked places, and texts that it writes token by token.

Nothing here draws from torch's generator or keeps gradients, so that a look at a model in training changes nothing. The
caller puts the model into evaluation mode. Texts are written without a cache of keys, which not every architecture has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedModel

from models.heads import prediction_head
from models.objectives.replaced_token_detection import drawn_tokens


@torch.inference_mode()
def likely_tokens(
    model: PreTrainedModel, ids: Tensor, places: Tensor, number: int, token_types: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The `number` most probable tokens at `places` of one text: probabilities and ids, both `[places, number]`.

    ids, token_types: `[length]`, without padding.
    """
    more = {} if token_types is None else {"token_type_ids": token_types[None]}
    hidden = model.base_model(input_ids=ids[None], **more).last_hidden_state[0, places]
    best = prediction_head(model)(hidden).float().softmax(-1).topk(number)
    return best.values, best.indices


@torch.inference_mode()
def continued(model: PreTrainedModel, prompts: Tensor, draws: np.ndarray) -> Tensor:
    """What a decoder writes after prompts: `[2 n, new_tokens]`, first by the most probable token, then drawn.

    prompts: `[n, length]`, all of one length. draws: `[n, new_tokens]` in [0, 1), by which tokens are drawn from the
    whole distribution.
    """
    ids = prompts.repeat(2, 1)
    for column in draws.T:
        hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state[:, -1]
        logits = prediction_head(model)(hidden).float()
        drawn = drawn_tokens(logits[len(prompts) :], torch.from_numpy(column).to(logits.device))
        ids = torch.cat([ids, torch.cat([logits[: len(prompts)].argmax(-1), drawn])[:, None]], dim=1)
    return ids[:, prompts.shape[1] :]


@torch.inference_mode()
def written(model: PreTrainedModel, ids: Tensor, new_tokens: int) -> Tensor:
    """What an encoder-decoder writes for one input by the most probable token: `[new_tokens]`.

    ids: `[length]`, without padding.
    """
    network: Any = model
    encoded = network.get_encoder()(input_ids=ids[None]).last_hidden_state
    # Labels moved to the right begin with the token that decoders of this architecture begin with.
    output = network.prepare_decoder_input_ids_from_labels(ids[None, :1])
    for _ in range(new_tokens):
        decoder = network.get_decoder()
        hidden = decoder(input_ids=output, encoder_hidden_states=encoded, use_cache=False).last_hidden_state[:, -1]
        output = torch.cat([output, prediction_head(model)(hidden).argmax(-1, keepdim=True)], dim=1)
    text: Tensor = output[0, 1:]
    return text
