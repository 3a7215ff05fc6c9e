"""Learning problems, one a file; `OBJECTIVES` finds them by name."""

from collections.abc import Callable

from models.objectives.base import Batch, Objective
from models.objectives.causal_lm import CausalLM
from models.objectives.contrastive_masked_lm import ContrastiveMaskedLM
from models.objectives.masked_lm import MaskedLM
from models.objectives.sequence_classification import SequenceClassification

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "masked_lm": MaskedLM,
    "contrastive_masked_lm": ContrastiveMaskedLM,
    "causal_lm": CausalLM,
    "sequence_classification": SequenceClassification,
}

__all__ = ["OBJECTIVES", "Batch", "Objective"]
