"""Learning problems, one a file; `OBJECTIVES` finds them by name."""

from collections.abc import Callable

from models.objectives.base import Batch, Objective
from models.objectives.causal_lm import CausalLM
from models.objectives.contrastive_masked_lm import ContrastiveMaskedLM
from models.objectives.denoising import Denoising
from models.objectives.masked_lm import MaskedLM
from models.objectives.next_sentence import NextSentence
from models.objectives.replaced_token_detection import ReplacedTokenDetection
from models.objectives.sentence_order import SentenceOrder
from models.objectives.sequence_classification import SequenceClassification
from models.objectives.span_corruption import SpanCorruption

OBJECTIVES: dict[str, Callable[..., Objective]] = {
    "masked_lm": MaskedLM,
    "contrastive_masked_lm": ContrastiveMaskedLM,
    "next_sentence": NextSentence,
    "sentence_order": SentenceOrder,
    "replaced_token_detection": ReplacedTokenDetection,
    "causal_lm": CausalLM,
    "span_corruption": SpanCorruption,
    "denoising": Denoising,
    "sequence_classification": SequenceClassification,
}

__all__ = ["OBJECTIVES", "Batch", "Objective"]
