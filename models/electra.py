"""A replaced-token detector with the generator that writes its exercises (ELECTRA: Clark et al. 2020, section 3).

The generator is a part of the network while it learns, so that optimizer and checkpoints know it; what is saved for
others is the detector alone. Both share one embedding module (section 3.2, "weight sharing").
"""

from __future__ import annotations

import copy

from transformers import ElectraConfig, ElectraForMaskedLM, ElectraForPreTraining

# Section 3.2, "smaller generators": best at a quarter to half of the detector's size.
GENERATOR_SHARE = 0.25


class DiscriminatorWithGenerator(ElectraForPreTraining):  # type: ignore[misc]
    """`forward` is that of the detector; `generator` predicts the masked tokens."""

    def __init__(self, config: ElectraConfig, generator_share: float = GENERATOR_SHARE) -> None:
        super().__init__(config)
        self.generator = ElectraForMaskedLM(generator_config(config, generator_share))
        self.generator.electra.embeddings = self.electra.embeddings
        self.generator.generator_lm_head.weight = self.electra.embeddings.word_embeddings.weight

    def discriminator(self) -> ElectraForPreTraining:
        """A copy of the detector without its generator."""
        alone = ElectraForPreTraining(self.config)
        kept = {name: value for name, value in self.state_dict().items() if not name.startswith("generator.")}
        alone.load_state_dict(kept)
        return alone.train(self.training)


def generator_config(config: ElectraConfig, share: float) -> ElectraConfig:
    """The detector's configuration with `share` of its heads, rounded, each as wide as before; at least one."""
    head_size = config.hidden_size // config.num_attention_heads
    num_heads = max(1, round(config.num_attention_heads * share))
    ratio = num_heads / config.num_attention_heads
    smaller = copy.deepcopy(config)
    smaller.num_attention_heads = num_heads
    smaller.hidden_size = num_heads * head_size
    smaller.intermediate_size = round(config.intermediate_size * ratio)
    return smaller
