"""What a model card states, collected from manifests and evidence; a card holds nothing that is not in here.

All text may come from data: it is escaped when the card is written, not here.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lmforge.artifacts.artifact import Counts, Frozen
from lmforge.recipe.base import Name

PipelineTag = Literal["text-classification", "fill-mask", "text-generation", "text2text-generation"]
Setting = str | int | float | bool | None


class TrainingData(Frozen):
    """One body of text: where it came from and how many records survived which filters."""

    purpose: str = Field(description="such as `pre-training` or `fine-tuning and test`")
    sources: tuple[str, ...]
    counts: Counts


class Result(Frozen):
    """One row of the results: a system and its score on the test set, with 95 % limits where they were computed."""

    system: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None


class CardFacts(Frozen):
    """Everything a card is written from.

    Settings are flat names and values in the order of display; losses are nats a token; fingerprints map the name of an
    artifact to its SHA-256. `limits` are added to what the card always says was not measured.
    """

    registered_model: Name
    pipeline_tag: PipelineTag
    objective: str = Field(description="what it does, such as `names the section of a package description`")
    languages: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    architecture: dict[str, Setting]
    num_parameters: int
    data: tuple[TrainingData, ...]
    tokenizer: dict[str, Setting]
    pretraining: dict[str, Setting] = Field(default_factory=dict)
    finetuning: dict[str, Setting] = Field(default_factory=dict)
    num_test_examples: int | None = None
    results: tuple[Result, ...] = ()
    language_losses: dict[str, float] = Field(default_factory=dict)
    verdict: str | None = None
    limits: tuple[str, ...] = ()
    fingerprints: dict[str, str]
