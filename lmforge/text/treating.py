"""What every text goes through, a document of the corpus like a labelled example: repair, masking and filters.

A frame goes in with the columns id, text, source and line; the sieve that comes out holds what was kept, with the
columns that `treat` adds, and what was rejected.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl

from lmforge.privacy.personal_data import mask_personal_data
from lmforge.privacy.secrets import find_secrets
from lmforge.recipe.cleaning import Cleaning
from lmforge.text.boilerplate import drop_lines
from lmforge.text.languages import UNDETERMINED, identify_languages
from lmforge.text.markup import html_to_text
from lmforge.text.quality import apply_quality
from lmforge.text.repairing import repair_kinds, repair_texts
from lmforge.text.sieve import Sieve
from lmforge.text.tagging import tag


def treat(
    frame: pl.DataFrame, cleaning: Cleaning, repairs: Counter[str], *, boilerplate: np.ndarray | None = None
) -> Sieve:
    """Repair and mask the texts; add `tags`, `num_words`, `num_chars` and `repaired`; reject empty ones and secrets.

    repairs: counts by kind of what was changed, added to. boilerplate: uint64 hashes of the lines to drop.
    Reason codes: empty, secret, and the tags of `cleaning.drop_tagged`.
    """
    sieve = Sieve(frame)
    before = sieve.frame["text"]
    sieve.set(tags=tag(before))
    texts = html_to_text(before) if cleaning.html else before
    _count(repairs, html=int((texts != before).sum()))
    repaired = repair_texts(texts)
    repairs.update(repair_kinds(texts, repaired))
    if boilerplate is not None:
        repaired, num_lines = drop_lines(repaired, boilerplate)
        _count(repairs, boilerplate_lines=num_lines)
    sieve.set(text=repaired)
    sieve.reject_where(repaired == "", "empty")
    if cleaning.quarantine_secrets:
        kinds = find_secrets(sieve.frame["text"])
        sieve.reject_where(kinds.is_not_null(), "secret", kinds.fill_null(""))
    for name in cleaning.drop_tagged:
        sieve.reject_where(sieve.frame["tags"].str.split(",").list.contains(name), name)
    if cleaning.mask_personal_data:
        masked = mask_personal_data(sieve.frame["text"], cleaning.personal_data, cleaning.phone_regions)
        repairs.update({f"personal_data.{kind}": count for kind, count in masked.counts.items()})
        sieve.set(text=masked.texts)
    _measure(sieve)
    return sieve


def reject_lengths(sieve: Sieve, min_words: int, max_words: int) -> None:
    """Reason codes too_short and too_long, in words."""
    words = sieve.frame["num_words"]
    sieve.reject_where(words < min_words, "too_short")
    sieve.reject_where(sieve.frame["num_words"] > max_words, "too_long")


def reject_quality(sieve: Sieve, cleaning: Cleaning) -> None:
    """Reason codes of the published filters that the recipe asks for; C4 also takes lines out. Needs `language`."""
    if not cleaning.quality.filters:
        return
    languages = sieve.frame["language"]
    texts, reasons = apply_quality(sieve.frame["text"], cleaning.quality, languages)
    sieve.set(text=texts)
    _measure(sieve)
    sieve.reject(reasons)


def reject_languages(sieve: Sieve, cleaning: Cleaning) -> None:
    """Recognise the language of each text; reason code other_language, where the recipe names languages."""
    sieve.set(language=identify_languages(sieve.frame["text"], cleaning.min_language_probability))
    if cleaning.languages:
        # Undetermined is kept: most short titles and lists of names would be lost otherwise.
        known = sieve.frame["language"]
        sieve.reject_where(~known.is_in([*cleaning.languages, UNDETERMINED]), "other_language", known)


def _measure(sieve: Sieve) -> None:
    sieve.set(
        repaired=pl.col("text") != pl.col("raw"),
        num_chars=pl.col("text").str.len_chars().cast(pl.Int32),
        num_words=pl.col("text").str.count_matches(r"\S+").cast(pl.Int32),
    )


def _count(repairs: Counter[str], **numbers: int) -> None:
    repairs.update({name: number for name, number in numbers.items() if number})
