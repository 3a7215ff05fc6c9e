"""Which architecture can learn which objective: one table, for recipes and for the code that builds models.

It imports nothing, so that a recipe is checked without loading torch.
"""

from __future__ import annotations

from collections.abc import Sequence

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
_JUDGING = ("next_sentence", "sentence_order")


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


def clash(objectives: Sequence[str]) -> str | None:
    """Why one network cannot learn all these objectives in one run; None when it can."""
    if "replaced_token_detection" in objectives and len(objectives) > 1:
        return "replaced_token_detection trains two networks and mixes with no other objective: leave `mixture` out"
    for one in objectives:
        if not set(_FITTING[one]) & set(_FITTING[objectives[0]]):
            fitting = [name for name, fits in _FITTING.items() if set(fits) & set(_FITTING[objectives[0]])]
            mixable = [name for name in fitting if name not in ("replaced_token_detection", "sequence_classification")]
            return f"no architecture learns both {objectives[0]} and {one}; with it mix {' or '.join(mixable)}"
    return None


def network_of(objectives: Sequence[str]) -> str:
    """Of the objectives of one run, the one whose network has the heads of all: judging pairs takes a head more."""
    return next((one for one in objectives if one in _JUDGING), objectives[0])
