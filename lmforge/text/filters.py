"""Filters of documents: each is one decision that answers with a reason code, or with None to keep.

They run in order and the first reason counts, so that a document is counted once. To add one, write a function that
returns a `Filter` and put it into `corpus_filters`, cheap ones first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.text.languages import UNDETERMINED, check_languages, identify
from lmforge.text.normalizing import text_key


@dataclass
class Document:
    """A repaired text on its way through the filters; a filter may set what it found out, such as the language."""

    id: str
    text: str
    language: str = UNDETERMINED

    @cached_property
    def key(self) -> str:
        return text_key(self.text)

    @cached_property
    def num_words(self) -> int:
        """Number of runs of characters other than white space."""
        return len(self.text.split())


Filter = Callable[[Document], str | None]


def first_reason(document: Document, filters: Sequence[Filter]) -> str | None:
    """The reason code of the first filter that rejects, or None."""
    return next((reason for decide in filters if (reason := decide(document)) is not None), None)


def corpus_filters(
    cleaning: Cleaning, deduplication: Deduplication, evaluation_keys: frozenset[str], evaluation_ids: frozenset[str]
) -> list[Filter]:
    """The filters of the clean stage, in order; they remember texts, so make them anew for each run.

    De-duplication comes last: a `duplicate` always has a kept twin. Raises InputError for unknown language codes.
    """
    filters = [*shape_filters(cleaning.min_words, cleaning.max_words, cleaning)]
    filters.append(_not_in_evaluation(evaluation_keys, evaluation_ids))
    if deduplication.exact:
        filters.append(_first_of_its_text())
    return filters


def shape_filters(min_words: int, max_words: int, cleaning: Cleaning) -> list[Filter]:
    """Filters that look at one text alone: empty, too_short, too_long (in words) and other_language."""
    filters = [_length(min_words, max_words)]
    if cleaning.languages:
        check_languages(cleaning.languages)
        filters.append(_language(frozenset(cleaning.languages), cleaning.min_language_probability))
    return filters


def _length(min_words: int, max_words: int) -> Filter:
    def decide(document: Document) -> str | None:
        if document.num_words == 0:
            return "empty"
        if document.num_words < min_words:
            return "too_short"
        return "too_long" if document.num_words > max_words else None

    return decide


def _language(languages: frozenset[str], min_probability: float) -> Filter:
    def decide(document: Document) -> str | None:
        document.language = identify(document.text, min_probability)
        # Undetermined is kept: most short titles and lists of names would be lost otherwise.
        return None if document.language in languages or document.language == UNDETERMINED else "other_language"

    return decide


def _not_in_evaluation(keys: frozenset[str], ids: frozenset[str]) -> Filter:
    def decide(document: Document) -> str | None:
        # By id too: another version of an evaluated text, or its summary, often stands under the same id.
        return "in_evaluation_set" if document.id in ids or document.key in keys else None

    return decide


def _first_of_its_text() -> Filter:
    seen: set[str] = set()

    def decide(document: Document) -> str | None:
        if document.key in seen:
            return "duplicate"
        seen.add(document.key)
        return None

    return decide
