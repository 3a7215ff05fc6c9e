"""The objective that settings ask for, with what it needs to know of a tokenizer: special tokens, words, sentences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models

from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.tokenization.roles import check_objectives, roles_of
from lmforge.tokenization.tokenizer import load_tokenizer
from models.architectures import Special
from models.objectives import OBJECTIVES, Objective
from models.objectives.denoising import Noise
from models.objectives.span_corruption import MIN_SENTINELS, SENTINEL, span_counts

# Full stops and their like of Latin, Chinese, Devanagari, Arabic, Urdu, Ethiopic and Armenian text.
_SENTENCE_ENDS = ".!?…。！？।؟۔።։"
# Byte-level BPE writes the bytes up to the space, which begin no word, as the characters from here on.
_FIRST_BLANK, _LAST_BLANK = "\u0100", "\u0120"


def special_ids(tokenizer_dir: Path, settings: Pretraining | Finetuning | None = None) -> Special:
    """Ids of the special tokens, -1 for one that the tokenizer lacks; raises InputError where it has none at all.

    settings: `vocab_size` then has the tokens that these settings need beyond the tokenizer.
    """
    roles = roles_of(tokenizer_dir)
    begin, end, mask = (-1 if one is None else one for one in (roles.begin, roles.end, roles.mask))
    more = 0 if settings is None else len(_absent(extra_tokens(settings), load_tokenizer(tokenizer_dir)))
    return Special(pad=roles.pad, cls=begin, sep=end, mask=mask, vocab_size=len(roles.ordinary) + more)


def objective_of(settings: Pretraining | Finetuning, tokenizer_dir: Path) -> Objective:
    """The objective of a training run, of a mixture the main one.

    `tokenizer_dir` may be the tokenizer's own or that of the trained model. Raises InputError where the objective
    needs a token that the tokenizer does not have.
    """
    special = special_ids(tokenizer_dir)
    if isinstance(settings, Finetuning):
        return OBJECTIVES["sequence_classification"](pad=special.pad)
    check_objectives(tokenizer_dir, (settings.objective,))
    ordinary = roles_of(tokenizer_dir).ordinary
    return _BUILDERS[settings.objective](settings, special, load_tokenizer(tokenizer_dir), ordinary)


def extra_tokens(settings: Pretraining | Finetuning) -> tuple[str, ...]:
    """Special tokens that the model needs, whether its tokenizer has them or not: sentinels of hidden spans, in order.

    Those that a tokenizer lacks have the ids behind its own, in the same order.
    """
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


def _absent(names: Sequence[str], tokenizer: Tokenizer) -> list[str]:
    return [name for name in names if tokenizer.token_to_id(name) is None]


def _masked(settings: Pretraining, special: Special, tokenizer: Tokenizer, ordinary: np.ndarray) -> Objective:
    length = {"max_seq_length": settings.max_seq_length}
    contrast = {"temperature": settings.contrastive_temperature, "weight": settings.contrastive_weight}
    own: dict[str, dict[str, Any]] = {
        "masked_lm": {},
        "contrastive_masked_lm": length | contrast,
        "next_sentence": length,
        "sentence_order": length,
        "replaced_token_detection": {"weight": settings.detection_weight},
    }
    continues = _continues(tokenizer, ordinary) if settings.whole_words else None
    return OBJECTIVES[settings.objective](
        special,
        ordinary=ordinary,
        mask_share=settings.mask_share,
        continues=continues,
        **own[settings.objective],
    )


def _span_corruption(settings: Pretraining, special: Special, tokenizer: Tokenizer, _: np.ndarray) -> Objective:
    # T5's own tokenizer and that of a trained model have the sentinels, that of the corpus ends where they begin.
    names = extra_tokens(settings)
    behind = {name: special.vocab_size + number for number, name in enumerate(_absent(names, tokenizer))}
    ids = [behind.get(name, tokenizer.token_to_id(name)) for name in names]
    return OBJECTIVES["span_corruption"](
        sep=special.sep,
        pad=special.pad,
        sentinels=np.array(ids, dtype=np.int64),
        mask_share=settings.mask_share,
        mean_span_length=settings.mean_span_length,
    )


def _denoising(settings: Pretraining, special: Special, tokenizer: Tokenizer, ordinary: np.ndarray) -> Objective:
    noise = Noise(**settings.denoising.model_dump(), mean_span_length=settings.mean_span_length)
    ends = _sentence_ends(tokenizer, ordinary)
    return OBJECTIVES["denoising"](special, ordinary=ordinary, sentence_ends=ends, noise=noise)


def _continues(tokenizer: Tokenizer, ordinary: np.ndarray) -> np.ndarray:
    """Which tokens go on with the word before them, `[vocab_size]` of bool.

    In byte-level BPE only a leading space shows where a word begins, so a word right after a line break or a bracket
    counts as one with what is before it.
    """
    table, pieces = np.zeros(len(ordinary), dtype=bool), isinstance(tokenizer.model, models.WordPiece)
    for token, number in tokenizer.get_vocab().items():
        blank = _FIRST_BLANK <= token[0] <= _LAST_BLANK
        inside = token.startswith("##") if pieces else token[0].isalnum() and not blank
        table[number] = inside and ordinary[number]
    return table


def _sentence_ends(tokenizer: Tokenizer, ordinary: np.ndarray) -> np.ndarray:
    """Ids of the characters that end a sentence, as far as each is one token."""
    encoded = [tokenizer.encode(character, add_special_tokens=False).ids for character in _SENTENCE_ENDS]
    return np.array(sorted({ids[0] for ids in encoded if len(ids) == 1 and ordinary[ids[0]]}), dtype=np.int64)


_BUILDERS: dict[str, Callable[[Pretraining, Special, Tokenizer, np.ndarray], Objective]] = {
    "masked_lm": _masked,
    "contrastive_masked_lm": _masked,
    "next_sentence": _masked,
    "sentence_order": _masked,
    "replaced_token_detection": _masked,
    "causal_lm": lambda *_: OBJECTIVES["causal_lm"](),
    "span_corruption": _span_corruption,
    "denoising": _denoising,
}
