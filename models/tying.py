"""One gradient for a table that both reads tokens and predicts them.

Autograd makes a second gradient as large as the table for the few rows that a batch looks up, and adds the two. Here
the rows are added to the gradient that the output layer has made: no second table is filled with zeros, read and added.
The sums are the same but for their order.
"""

from __future__ import annotations

from torch import Tensor, nn
from transformers import PreTrainedModel

from models.lookup import look_up


class TiedEmbedding(nn.Embedding):
    """An embedding whose weight an output layer shares; the gradient of its rows waits for that of the layer."""

    def __init__(self, tied: nn.Embedding) -> None:
        super().__init__(tied.num_embeddings, tied.embedding_dim, tied.padding_idx, _weight=tied.weight.detach())
        self.weight = tied.weight
        self.waiting: list[tuple[Tensor, Tensor]] = []

    def forward(self, input: Tensor) -> Tensor:
        """Vectors of token ids, `[..., embedding_dim]`."""
        if not (self.training and self.weight.requires_grad):
            return super().forward(input)
        return look_up(input, self.weight, self.padding_idx, lambda ids, rows: self.waiting.append((ids, rows)))

    def add_waiting(self, weight: Tensor) -> None:
        """Add the rows to the gradient that `weight` has."""
        assert weight.grad is not None, "called when a gradient has come"
        for ids, rows in self.waiting:
            weight.grad.index_add_(0, ids, rows.to(weight.grad.dtype))
        self.waiting.clear()


def tie_gradients(model: PreTrainedModel) -> bool:
    """Let a model whose output layer shares its input embedding make one gradient for both; False for any other.

    A model whose output layer gets no gradient in some step must not be given here: its rows would wait for the next.
    """
    embedding, output = model.get_input_embeddings(), model.get_output_embeddings()
    if type(embedding) is not nn.Embedding or output is None or output.weight is not embedding.weight:
        return False
    users = [module for module in model.modules() if getattr(module, "weight", None) is embedding.weight]
    if users != [embedding, output] and users != [output, embedding]:
        return False
    tied = TiedEmbedding(embedding)
    model.set_input_embeddings(tied)
    tied.weight.register_post_accumulate_grad_hook(tied.add_waiting)  # type: ignore[no-untyped-call]
    return True
