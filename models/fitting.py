"""Which architecture can learn which objective: one table, for recipes and for the code that builds models.

It imports nothing, so that a recipe is checked without loading torch.
"""

from __future__ import annotations

ENCODERS = ("bert", "modernbert", "electra")
DECODERS = ("gpt2", "llama")
ENCODER_DECODERS = ("t5", "bart")

# An encoder sees both sides of a token and would copy the answer of causal_lm; a decoder has no head for hidden tokens.
# BERT alone has the pooled output and the segment embeddings that judge a pair of segments.
_FITTING = {
    "masked_lm": ENCODERS,
    "contrastive_masked_lm": ENCODERS,
    "next_sentence": ("bert",),
    "sentence_order": ("bert",),
    "replaced_token_detection": ("electra",),
    "causal_lm": DECODERS,
    "span_corruption": ENCODER_DECODERS,
    "denoising": ENCODER_DECODERS,
    "sequence_classification": (*ENCODERS, *DECODERS, *ENCODER_DECODERS),
}


def misfit(objective: str, architecture: str) -> str | None:
    """Why an architecture cannot learn an objective and what to use instead; None when it can, or a name is unknown."""
    fitting = _FITTING.get(objective, ())
    if not fitting or architecture in fitting or architecture not in _FITTING["sequence_classification"]:
        return None
    learned = [one for one, fits in _FITTING.items() if architecture in fits and one != "sequence_classification"]
    return (
        f"architecture {architecture} does not fit objective {objective}: use {' or '.join(fitting)} for it, "
        f"or with {architecture} {' or '.join(learned)}"
    )
