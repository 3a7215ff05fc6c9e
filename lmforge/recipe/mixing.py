"""The parts of a recipe about what a pre-training run mixes: further objectives, and earlier text.

A share is one of steps for objectives and one of the rows of each batch for earlier text: a batch has one objective.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lmforge.recipe.base import Name, Part

Learned = Literal[
    "masked_lm",
    "contrastive_masked_lm",
    "next_sentence",
    "sentence_order",
    "replaced_token_detection",
    "causal_lm",
    "span_corruption",
    "denoising",
]


class Mixed(Part):
    """A further objective of a run, which some of its steps train on."""

    objective: Learned
    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        description="of all steps, drawn by the seed; pretraining.objective has what the others leave"
    )
    name: Name | None = Field(default=None, description="prefix of its validation metrics; default: the objective")
    mask_share: Annotated[float, Field(gt=0, lt=1)] | None = Field(default=None, description="default: as the main one")
    mean_span_length: Annotated[float, Field(ge=1, le=100)] | None = Field(
        default=None, description="default: as the main one"
    )

    @property
    def label(self) -> str:
        """The prefix of its metrics."""
        return self.name or self.objective


class Replay(Part):
    """Earlier text in every batch, against forgetting it."""

    share: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.25, description="of the rows of each batch, rounded to whole rows"
    )
    tokens: str | None = Field(
        default=None,
        description="directory that a stage tokenize wrote; default: what the version of model.from was trained on",
    )
