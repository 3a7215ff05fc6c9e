"""The part of a recipe that says when a version may become the champion.

Quality has to be shown (the lower bound of the gain), harm has to be shown too (slices, calibration, robustness,
fairness), and a budget has to be kept for sure (the upper bound of a ratio). A limit of null switches its rule off; the
value is still reported.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lmforge.recipe.base import Part, Positive, Share
from lmforge.recipe.robustness import Fairness, Robustness

Alpha = Annotated[float, Field(gt=0, lt=0.5)]
Ratio = Annotated[float, Field(gt=0)]


class Slices(Part):
    """How much worse than the champion a version may be on a part of the test set."""

    columns: tuple[str, ...] | None = Field(
        default=None, description="slice keys to judge, such as length or class; null judges all that examples have"
    )
    max_regression: Annotated[float, Field(ge=0)] | None = Field(
        default=0.02, description="allowed loss of the mean score of a slice"
    )
    min_examples: Annotated[int, Field(ge=10)] = Field(default=50, description="smaller slices are not judged")
    alpha: Alpha = Field(default=0.05, description="chance of a false alarm among all slices of an equal model")


class Calibration(Part):
    """How much less its probabilities may be trusted than the champion's."""

    max_ece_increase: Share | None = 0.02
    max_brier_increase: Share | None = 0.02
    num_bins: Annotated[int, Field(ge=2, le=100)] = Field(
        default=15, description="equally wide bins of the calibration error (Guo et al. 2017, arXiv:1706.04599)"
    )
    alpha: Alpha = 0.05


class Budgets(Part):
    """The largest allowed ratio of a version's cost to the champion's; null does not limit it."""

    latency_ratio: Ratio | None = Field(default=1.5, description="median of interleaved calls, surely below this")
    size_ratio: Ratio | None = Field(default=1.5, description="bytes of the model directory")
    memory_ratio: Ratio | None = Field(default=None, description="peak resident memory of a process that answers")
    alpha: Alpha = 0.05


class Release(Part):
    """When a version may become the champion."""

    minimum_gain: Annotated[float, Field(ge=0, lt=1)] = 0.0
    alpha: Alpha = 0.01
    resamples: Annotated[int, Field(ge=1000, le=1_000_000)] = 10_000
    aim: Literal["better", "smaller"] = Field(
        default="better", description="smaller: cheaper than the champion and not worse by more than `margin`"
    )
    margin: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="largest loss of the metric that is accepted for a smaller or faster model"
    )
    above_linear: bool = Field(default=False, description="must also be better than TF-IDF with a linear model")
    test_digest: str | None = Field(default=None, description="the approved test set; another one is refused")
    max_overlap_share: Share = Field(default=0.01, description="share of test examples that may stand in training text")
    slices: Slices = Slices()
    calibration: Calibration = Calibration()
    robustness: Robustness | None = Field(default=Robustness(), description="null: noisy text is not answered")
    fairness: Fairness | None = Field(default=Fairness(), description="null: swapped text is not answered")
    budgets: Budgets = Budgets()
    require_approval: bool = Field(default=False, description="a person must agree to every promotion")
    base_model: bool | None = Field(
        default=None, description="also release the base model, as NAME-base; null: where the recipe has no tasks"
    )
    max_documents: Positive = Field(
        default=500, description="held-out documents that a base model is judged on, chosen by a hash of their ids"
    )
    approval_hours: Annotated[float, Field(gt=0)] = Field(default=72, description="after which an approval is void")

    @model_validator(mode="after")
    def _aim_and_margin(self) -> Release:
        if self.aim == "smaller" and self.margin is None:
            raise ValueError("`aim: smaller` needs `margin`: how much of the metric a cheaper model may lose")
        if self.aim == "better" and self.margin is not None:
            raise ValueError("`margin` has no effect with `aim: better`; remove it or write `aim: smaller`")
        if self.aim == "smaller" and self.minimum_gain:
            raise ValueError("`minimum_gain` has no effect with `aim: smaller`; remove it")
        return self
