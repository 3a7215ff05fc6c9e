"""Published quality filters on many texts at once: the first rule that a text breaks is its reason code.

A filter sees what the ones before it left: C4 takes lines out, so it matters whether Gopher is asked before or after.
A text that a filter rejected is not shown to the next.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl

from lmforge.recipe.quality import Quality
from lmforge.text.quality_c4 import filter_c4
from lmforge.text.quality_fineweb import fineweb_reasons
from lmforge.text.quality_gopher import gopher_reasons
from lmforge.text.repetition import repetition_reasons


def apply_quality(
    texts: pl.Series, quality: Quality, languages: pl.Series | None = None
) -> tuple[pl.Series, pl.Series]:
    """The texts as C4 leaves them, and the reason codes: null for a text that is kept.

    texts: no nulls. languages: ISO 639-1 codes of the same height, for the stop words; None takes all for English.
    A rejected text is returned as it came.
    """
    edited, reasons = texts.to_frame("text"), pl.Series("reason", [None] * len(texts), dtype=pl.String)
    for name in quality.filters:
        kept = np.flatnonzero(reasons.is_null().to_numpy())
        asked = edited["text"].gather(kept)
        if name == "c4":
            asked, found = filter_c4(asked, quality.c4)
            edited = edited.with_columns(edited["text"].scatter(kept, asked))
        else:
            found = _others(quality, languages, kept)[name](asked)
        reasons = reasons.scatter(kept, found)
    rejected = reasons.is_not_null()
    return edited["text"].zip_with(~rejected, texts).alias(texts.name), reasons


def quality_reasons(texts: pl.Series, quality: Quality, languages: pl.Series | None = None) -> pl.Series:
    """The reason codes of `apply_quality` alone."""
    return apply_quality(texts, quality, languages)[1]


def _others(
    quality: Quality, languages: pl.Series | None, kept: np.ndarray
) -> dict[str, Callable[[pl.Series], pl.Series]]:
    """The filters that change no text."""
    spoken = None if languages is None else languages.gather(kept)
    return {
        "gopher": lambda texts: gopher_reasons(texts, quality.gopher, spoken),
        "gopher_repetition": lambda texts: repetition_reasons(texts, quality.gopher_repetition),
        "fineweb": lambda texts: fineweb_reasons(texts, quality.fineweb),
    }
