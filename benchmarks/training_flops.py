"""Model FLOPs of a training step, counted from the network's dimensions: what a step needs, not what a loop spends.

Forward and backward are three times the forward pass (Kaplan et al. 2020, section 2.1), each multiplication with its
addition counts as two. Matrix products only. A head counts on the positions that are predicted, causal attention on
the half that is seen, and padding never, so the same text costs the same whoever trains on it.
"""

from __future__ import annotations

from dataclasses import dataclass

TRAINING = 3


@dataclass(frozen=True)
class Network:
    """Dimensions of one stack of layers. gated: the feed-forward part has three matrices and not two."""

    num_layers: int
    hidden_size: int
    intermediate_size: int
    vocab_size: int
    gated: bool = False

    @property
    def layer(self) -> int:
        """Forward FLOPs of a layer for one token, attention scores left out."""
        feed_forward = (3 if self.gated else 2) * self.hidden_size * self.intermediate_size
        return 2 * (4 * self.hidden_size**2 + feed_forward)

    def attention(self, context: float) -> float:
        """Forward FLOPs of a layer's scores and weighted sum for one token that sees `context` tokens."""
        return 4 * context * self.hidden_size

    @property
    def head(self) -> int:
        """Forward FLOPs of the product with the vocabulary for one predicted position."""
        return 2 * self.hidden_size * self.vocab_size


def masked_lm(network: Network, context: float, mask_share: float = 0.15) -> float:
    """Training FLOPs a token; the head is BERT's, with a square matrix before the vocabulary."""
    body = network.num_layers * (network.layer + network.attention(context))
    return TRAINING * (body + mask_share * (network.head + 2 * network.hidden_size**2))


def causal_lm(network: Network, context: float) -> float:
    """Training FLOPs a token; every token is predicted and sees half of the others."""
    return TRAINING * (network.num_layers * (network.layer + network.attention(context / 2)) + network.head)


def classification(network: Network, context: float) -> float:
    """Training FLOPs a token; the head, once a text, is left out."""
    return TRAINING * network.num_layers * (network.layer + network.attention(context))


def encoder_decoder(network: Network, num_inputs: float, num_targets: float) -> float:
    """Training FLOPs a row of `num_inputs` encoder and `num_targets` decoder tokens, all of the latter predicted."""
    square = 2 * network.hidden_size**2
    encoder = num_inputs * (network.layer + network.attention(num_inputs))
    crossing = 2 * square * (num_inputs + num_targets)  # keys and values of inputs, queries and outputs of targets
    decoder = num_targets * (network.layer + network.attention(num_targets / 2) + network.attention(num_inputs))
    return TRAINING * (network.num_layers * (encoder + crossing + decoder) + num_targets * network.head)
