"""The parts of a recipe that decide which documents are kept, and what is changed in them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lmforge.recipe.base import Part, Positive, Share
from lmforge.recipe.quality import Quality

PersonalDataKind = Literal["email", "phone", "ip_address", "credit_card", "iban", "national_id"]


class Cleaning(Part):
    """What a document must be to be kept, and what is changed in it."""

    languages: tuple[str, ...] = Field(default=(), description="ISO 639-1 codes to keep; empty keeps all")
    min_words: Positive = 5
    max_words: Positive = 100_000
    min_language_probability: Share = Field(
        default=0.5, description="below it a language is undetermined and the document kept"
    )
    html: bool = Field(default=False, description="take HTML tags out of texts of every source; pages always lose them")
    quality: Quality = Quality()
    boilerplate_min_documents: Annotated[int, Field(ge=2)] | None = Field(
        default=None, description="drop lines that stand in at least so many documents; default: keep them"
    )
    mask_personal_data: bool = True
    personal_data: tuple[PersonalDataKind, ...] = ("email", "phone", "ip_address", "credit_card", "iban", "national_id")
    phone_regions: tuple[str, ...] = Field(
        default=("US", "GB", "DE"), description="ISO 3166 regions whose national way of writing phone numbers is masked"
    )
    quarantine_secrets: bool = Field(default=True, description="keep documents with keys, tokens and passwords out")
    drop_tagged: tuple[str, ...] = Field(
        default=(), description="tags that keep a document out: bidi, mixed_script, code, encoded, zalgo"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Cleaning:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


class Deduplication(Part):
    """Documents that stand twice are kept once: the first in source order."""

    exact: bool = Field(default=True, description="drop a text that is the same after normalisation")
    near: bool = Field(default=True, description="drop a text whose word shingles largely stand in an earlier one")
    threshold: Annotated[float, Field(ge=0.4, lt=1.0)] = Field(
        default=0.8, description="Jaccard similarity of shingles from which on two texts are near duplicates"
    )
    shingle_words: Annotated[int, Field(ge=1, le=20)] = 5
    num_permutations: Annotated[int, Field(ge=16, le=512)] = 128
    min_kept_share: Share = Field(default=0.02, description="stop when de-duplication leaves less than this")


class Decontamination(Part):
    """Training documents that overlap with an evaluation set are dropped; the evaluation set is never changed."""

    ngram_words: Annotated[int, Field(ge=5, le=50)] = Field(
        default=13, description="a shared run of so many words is an overlap (GPT-3, arXiv:2005.14165, appendix C)"
    )
    paths: tuple[str, ...] = Field(default=(), description="further evaluation texts: JSON Lines, CSV, Parquet or text")
    text: str = Field(default="text", description="field of `paths` that holds the text")
