"""Fine-tuning touches the tokens that its texts hold; the other rows of the embedding table need no optimizer.

A row whose token never comes has a gradient of zero at every step and, as embeddings do not decay, stays what it is: to
leave it out changes nothing but the time. Clipping, moments and updates of a whole table are memory traffic only, and
with short texts and 30,000 tokens more than a third of a step. Nor is the gradient of the trained rows made anew at
each step: the rows of the last batch are set to zero, those of this one are added.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import PreTrainedModel

from models.lookup import look_up

# Two tables side by side are worth it from here on.
_MAX_SHARE = 0.8


class UsedEmbedding(nn.Embedding):
    """An embedding that trains the rows of `used` ids and looks all others up where they were, for validation.

    `weight` is `[len(used), embedding_dim]`. Checkpoints hold it alone: the others come with the weights that a run
    starts from. by_rows: whether the gradient is kept from step to step as said above; it is then not autograd's, and
    no other process can add to it on its way. Whoever scales it must leave its zeros what they are.
    """

    rest: Tensor
    used: Tensor
    place: Tensor

    def __init__(self, whole: nn.Embedding, used: Tensor, *, by_rows: bool = False) -> None:
        table = whole.weight.detach()
        super().__init__(len(used), whole.embedding_dim, _weight=table[used].clone())
        place = torch.full((whole.num_embeddings,), -1, device=table.device)
        place[used] = torch.arange(len(used), device=table.device)
        if (padding := whole.padding_idx) is not None and place[padding] >= 0:
            self.padding_idx = int(place[padding])
        self.whole_padding_idx = whole.padding_idx
        self.register_buffer("rest", table, persistent=False)
        self.register_buffer("used", used, persistent=False)
        self.register_buffer("place", place, persistent=False)
        self.by_rows = by_rows
        self._gradient: Tensor | None = None
        self._filled: list[Tensor] = []

    def forward(self, input: Tensor) -> Tensor:
        """Vectors of token ids, `[..., embedding_dim]`."""
        places = self.place[input]
        if self.training and self.by_rows and self.weight.requires_grad:
            return look_up(places, self.weight, self.padding_idx, self._add_rows)
        if self.training:
            return functional.embedding(places, self.weight, self.padding_idx)
        found = functional.embedding(places.clamp(min=0), self.weight)
        return torch.where((places < 0)[..., None], functional.embedding(input, self.rest), found)

    def _add_rows(self, places: Tensor, rows: Tensor) -> None:
        if self._gradient is None:
            self._gradient = torch.zeros_like(self.weight)
        if self.weight.grad is None:
            for filled in self._filled:
                self._gradient.index_fill_(0, filled, 0.0)
            self._filled.clear()
            self.weight.grad = self._gradient
        self._filled.append(places)
        self._gradient.index_add_(0, places, rows.to(self._gradient.dtype))

    def whole(self) -> nn.Embedding:
        """The table of all rows, trained ones included."""
        table = self.rest.clone()
        table[self.used] = self.weight.detach()
        num_rows, size = table.shape
        return nn.Embedding(num_rows, size, padding_idx=self.whole_padding_idx, _weight=table)


def train_used_rows(model: PreTrainedModel, token_ids: np.ndarray, *, by_rows: bool = False) -> bool:
    """Train only the rows of these ids, which must be all that training batches hold; False where nothing is gained.

    A table that another module shares, or that is more than a table, stays whole. by_rows: see `UsedEmbedding`.
    """
    embedding = model.get_input_embeddings()
    used = torch.from_numpy(np.unique(token_ids).astype(np.int64))
    if type(embedding) is not nn.Embedding or len(used) > _MAX_SHARE * embedding.num_embeddings:
        return False
    sharing = [module for module in model.modules() if getattr(module, "weight", None) is embedding.weight]
    if len(sharing) > 1 or not embedding.weight.requires_grad:
        return False
    model.set_input_embeddings(UsedEmbedding(embedding, used.to(embedding.weight.device), by_rows=by_rows))
    return True


def restore_whole_table(model: PreTrainedModel) -> None:
    """Give the model its whole table back, if it trained a part."""
    embedding = model.get_input_embeddings()
    if isinstance(embedding, UsedEmbedding):
        model.set_input_embeddings(embedding.whole())
