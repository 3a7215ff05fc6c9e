"""The objective that settings ask for, with what it needs to know of a tokenizer: special tokens, words, sentences."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models

from lmforge.errors import InputError
from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.tokenization.tokenizer import SPECIAL_TOKENS, load_tokenizer, num_special
from models.architectures import Special
from models.objectives import OBJECTIVES, Objective
from models.objectives.denoising import Noise
from models.objectives.span_corruption import MIN_SENTINELS, SENTINEL, span_counts

# Full stops and their like of Latin, Chinese, Devanagari, Arabic, Urdu, Ethiopic and Armenian text.
_SENTENCE_ENDS = ".!?…。！？।؟۔።։"
# Byte-level BPE writes the bytes up to the space, which begin no word, as the characters from here on.
_FIRST_BLANK, _LAST_BLANK = "\u0100", "\u0120"


def special_ids(tokenizer_dir: Path) -> Special:
    """Ids of the special tokens; raises InputError naming those that the tokenizer lacks."""
    tokenizer = load_tokenizer(tokenizer_dir)
    ids = {name: tokenizer.token_to_id(SPECIAL_TOKENS[f"{name}_token"]) for name in ("pad", "cls", "sep", "mask")}
    found = {name: number for name, number in ids.items() if number is not None}
    if missing := [SPECIAL_TOKENS[f"{name}_token"] for name in ids if name not in found]:
        raise InputError(f"{tokenizer_dir}: the tokenizer lacks {', '.join(missing)}")
    return Special(**found, vocab_size=tokenizer.get_vocab_size())


def objective_of(settings: Pretraining | Finetuning, tokenizer_dir: Path) -> Objective:
    """The objective of a training run, of a mixture the main one.

    `tokenizer_dir` may be the tokenizer's own or that of the trained model.
    """
    special = special_ids(tokenizer_dir)
    if isinstance(settings, Finetuning):
        return OBJECTIVES["sequence_classification"](pad=special.pad)
    return _BUILDERS[settings.objective](settings, special, load_tokenizer(tokenizer_dir))


def extra_tokens(settings: Pretraining | Finetuning) -> tuple[str, ...]:
    """Special tokens that the model has beyond its tokenizer, in the order of their ids: sentinels of hidden spans."""
    if isinstance(settings, Finetuning):
        return ()
    parts = [settings.alone(one) for one in (None, *settings.mixture)]
    spans = [
        span_counts(part.max_seq_length, part.mask_share, part.mean_span_length)[1]
        for part in parts
        if part.objective == "span_corruption"
    ]
    if not spans:
        return ()
    return tuple(SENTINEL.format(number) for number in range(max(MIN_SENTINELS, *(number + 1 for number in spans))))


def _masked(settings: Pretraining, special: Special, tokenizer: Tokenizer) -> Objective:
    length = {"max_seq_length": settings.max_seq_length}
    contrast = {"temperature": settings.contrastive_temperature, "weight": settings.contrastive_weight}
    own: dict[str, dict[str, Any]] = {
        "masked_lm": {},
        "contrastive_masked_lm": length | contrast,
        "next_sentence": length,
        "sentence_order": length,
        "replaced_token_detection": {"weight": settings.detection_weight},
    }
    continues = _continues(tokenizer) if settings.whole_words else None
    return OBJECTIVES[settings.objective](
        special,
        num_special=num_special(tokenizer),
        mask_share=settings.mask_share,
        continues=continues,
        **own[settings.objective],
    )


def _span_corruption(settings: Pretraining, special: Special, tokenizer: Tokenizer) -> Objective:
    # The tokenizer of a trained model has the sentinels, that of the corpus ends where they begin.
    first = tokenizer.token_to_id(SENTINEL.format(0))
    return OBJECTIVES["span_corruption"](
        sep=special.sep,
        first_sentinel=special.vocab_size if first is None else first,
        num_sentinels=len(extra_tokens(settings)),
        mask_share=settings.mask_share,
        mean_span_length=settings.mean_span_length,
    )


def _denoising(settings: Pretraining, special: Special, tokenizer: Tokenizer) -> Objective:
    noise = Noise(**settings.denoising.model_dump(), mean_span_length=settings.mean_span_length)
    ends = _sentence_ends(tokenizer)
    return OBJECTIVES["denoising"](special, num_special=num_special(tokenizer), sentence_ends=ends, noise=noise)


def _continues(tokenizer: Tokenizer) -> np.ndarray:
    """Which tokens go on with the word before them, `[vocab_size]` of bool.

    In byte-level BPE only a leading space shows where a word begins, so a word right after a line break or a bracket
    counts as one with what is before it.
    """
    table = np.zeros(tokenizer.get_vocab_size(), dtype=bool)
    first, pieces = num_special(tokenizer), isinstance(tokenizer.model, models.WordPiece)
    for token, number in tokenizer.get_vocab().items():
        blank = _FIRST_BLANK <= token[0] <= _LAST_BLANK
        inside = token.startswith("##") if pieces else token[0].isalnum() and not blank
        table[number] = inside and number >= first
    return table


def _sentence_ends(tokenizer: Tokenizer) -> np.ndarray:
    """Ids of the characters that end a sentence, as far as each is one token."""
    first = num_special(tokenizer)
    encoded = [tokenizer.encode(character, add_special_tokens=False).ids for character in _SENTENCE_ENDS]
    return np.array(sorted({ids[0] for ids in encoded if len(ids) == 1 and ids[0] >= first}), dtype=np.int64)


_BUILDERS: dict[str, Callable[[Pretraining, Special, Tokenizer], Objective]] = {
    "masked_lm": _masked,
    "contrastive_masked_lm": _masked,
    "next_sentence": _masked,
    "sentence_order": _masked,
    "replaced_token_detection": _masked,
    "causal_lm": lambda *_: OBJECTIVES["causal_lm"](),
    "span_corruption": _span_corruption,
    "denoising": _denoising,
}
