"""Quality filters of a recipe and their thresholds, each with the paper or code it comes from.

Where a paper and its authors' code disagree, the default is the code's, because it made the published corpus;
docs/quality-filters.md names the paper's number beside it. All were found on English web pages.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lmforge.recipe.base import Part, Positive, Share

_FilterSet = Literal["c4", "gopher", "gopher_repetition", "fineweb"]
_Count = Annotated[int, Field(ge=0)]
_Ratio = Annotated[float, Field(ge=0)]

# Raffel et al. 2020, arXiv:1910.10683; its code is c4_utils.py of TensorFlow Datasets.
_C4 = "C4, arXiv:1910.10683, section 2.2"
# Rae et al. 2021, arXiv:2112.11446; the authors published no code.
_GOPHER = "Gopher, arXiv:2112.11446, appendix A.1.1"
_TABLE_A1 = "Gopher, arXiv:2112.11446, table A1"
# Penedo et al. 2024, arXiv:2406.17557; its code is FineWebQualityFilter of datatrove.
_FINEWEB = "FineWeb, arXiv:2406.17557, section 3.6"


class C4(Part):
    """Lines that are sentences are kept, pages of too few sentences or with code are not."""

    terminal_punctuation: bool = Field(
        default=True, description=f"keep only lines that end in an end mark, and not in an ellipsis ({_C4})"
    )
    end_marks: Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)] = Field(
        default=(".", "!", "?", '"', "\u201d"), description=f"what a line may end in ({_C4}; straight and curly quote)"
    )
    min_words_per_line: Annotated[int, Field(ge=0, le=100)] = Field(
        default=5, description=f"drop lines of fewer words ({_C4}, and its code)"
    )
    max_word_chars: Positive = Field(default=1000, description="drop lines with a longer word (code of C4)")
    min_sentences: _Count = Field(default=3, description=f"drop documents of fewer sentences ({_C4}, and its code)")
    remove_citations: bool = Field(default=True, description=f"take out [1], [edit], [citation needed] ({_C4})")
    drop_lorem_ipsum: bool = Field(default=True, description=f"drop documents with 'lorem ipsum' ({_C4})")
    drop_curly_brackets: bool = Field(default=True, description=f"drop documents with a curly bracket ({_C4})")
    drop_javascript_lines: bool = Field(default=True, description=f"drop lines that name JavaScript ({_C4})")
    drop_policy_lines: bool = Field(default=True, description=f"drop lines about cookies, terms and privacy ({_C4})")


class Gopher(Part):
    """A document has about the length, the words and the lines of prose."""

    min_words: _Count = Field(default=50, description=_GOPHER)
    max_words: Positive = Field(default=100_000, description=_GOPHER)
    min_mean_word_chars: _Ratio = Field(default=3, description=_GOPHER)
    max_mean_word_chars: _Ratio = Field(default=10, description=_GOPHER)
    max_hashes_per_word: _Ratio = Field(default=0.1, description=_GOPHER)
    max_ellipses_per_word: _Ratio = Field(default=0.1, description=_GOPHER)
    max_bullet_line_share: Share = Field(default=0.9, description=f"lines that start with a bullet ({_GOPHER})")
    max_ellipsis_line_share: Share = Field(default=0.3, description=f"lines that end in an ellipsis ({_GOPHER})")
    min_alphabetic_word_share: Share = Field(default=0.8, description=f"words with a letter ({_GOPHER})")
    min_stop_words: _Count = Field(default=2, description=f"different stop words that must occur ({_GOPHER})")
    stop_words: dict[str, tuple[str, ...]] = Field(
        default={"en": ("the", "be", "to", "of", "and", "that", "have", "with")},
        description=f"by ISO 639-1 code; documents in a language without a list are not asked ({_GOPHER})",
    )


class GopherRepetition(Part):
    """A document does not say the same again and again."""

    max_duplicate_line_share: Share = Field(default=0.30, description=_TABLE_A1)
    max_duplicate_line_char_share: Share = Field(default=0.20, description=_TABLE_A1)
    max_duplicate_paragraph_share: Share = Field(default=0.30, description=_TABLE_A1)
    max_duplicate_paragraph_char_share: Share = Field(default=0.20, description=_TABLE_A1)
    max_top_2_gram_char_share: Share = Field(default=0.20, description=_TABLE_A1)
    max_top_3_gram_char_share: Share = Field(default=0.18, description=_TABLE_A1)
    max_top_4_gram_char_share: Share = Field(default=0.16, description=_TABLE_A1)
    max_duplicate_5_gram_char_share: Share = Field(default=0.15, description=_TABLE_A1)
    max_duplicate_6_gram_char_share: Share = Field(default=0.14, description=_TABLE_A1)
    max_duplicate_7_gram_char_share: Share = Field(default=0.13, description=_TABLE_A1)
    max_duplicate_8_gram_char_share: Share = Field(default=0.12, description=_TABLE_A1)
    max_duplicate_9_gram_char_share: Share = Field(default=0.11, description=_TABLE_A1)
    max_duplicate_10_gram_char_share: Share = Field(default=0.10, description=_TABLE_A1)


class FineWeb(Part):
    """A document is not a list, a menu or a template."""

    min_terminal_line_share: Share = Field(default=0.12, description=f"lines that end a sentence ({_FINEWEB})")
    short_line_chars: _Count = Field(default=30, description=f"a line of at most so many is short ({_FINEWEB})")
    max_short_line_share: Share = Field(default=0.67, description=_FINEWEB)
    max_duplicate_line_char_share: Share = Field(
        default=0.01, description=f"characters in lines that stood before (code of FineWeb; 0.1 in {_FINEWEB})"
    )
    max_line_breaks_per_word: _Ratio = Field(default=0.3, description="code of FineWeb; not in the paper")


class Quality(Part):
    """Sets of published filters, in the order in which they are asked; empty asks none."""

    filters: tuple[_FilterSet, ...] = ()
    c4: C4 = C4()
    gopher: Gopher = Gopher()
    gopher_repetition: GopherRepetition = GopherRepetition()
    fineweb: FineWeb = FineWeb()
