"""The objective that settings ask for, with the special tokens of a tokenizer."""

from __future__ import annotations

from pathlib import Path

from lmforge.errors import InputError
from lmforge.recipe.schema import Finetuning, Pretraining
from lmforge.tokenization.tokenizer import NUM_SPECIAL, SPECIAL_TOKENS, load_tokenizer
from models.architectures import Special
from models.objectives import OBJECTIVES, Objective


def special_ids(tokenizer_dir: Path) -> Special:
    """Ids of the special tokens; raises InputError naming those that the tokenizer lacks."""
    tokenizer = load_tokenizer(tokenizer_dir)
    ids = {name: tokenizer.token_to_id(SPECIAL_TOKENS[f"{name}_token"]) for name in ("pad", "cls", "sep", "mask")}
    found = {name: number for name, number in ids.items() if number is not None}
    if missing := [SPECIAL_TOKENS[f"{name}_token"] for name in ids if name not in found]:
        raise InputError(f"{tokenizer_dir}: the tokenizer lacks {', '.join(missing)}")
    return Special(**found, vocab_size=tokenizer.get_vocab_size())


def objective_of(settings: Pretraining | Finetuning, tokenizer_dir: Path) -> Objective:
    """The objective of a training run."""
    special = special_ids(tokenizer_dir)
    if isinstance(settings, Finetuning):
        return OBJECTIVES["sequence_classification"](pad=special.pad)
    if settings.objective == "masked_lm":
        return OBJECTIVES["masked_lm"](special, num_special=NUM_SPECIAL, mask_share=settings.mask_share)
    if settings.objective == "contrastive_masked_lm":
        return OBJECTIVES["contrastive_masked_lm"](
            special,
            num_special=NUM_SPECIAL,
            mask_share=settings.mask_share,
            max_seq_length=settings.max_seq_length,
            temperature=settings.contrastive_temperature,
            weight=settings.contrastive_weight,
        )
    return OBJECTIVES[settings.objective]()
