"""What the thresholds of all suites have in common: which of them only warn, and the comparison with the last run."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lmforge.recipe.base import Part, Share
from lmforge.wording import listed, nearest, shown

Ratio = Annotated[float, Field(gt=0)]
WARN = "thresholds that only warn where they are broken; all others stop the run"
_VOLUME = "compared with the last accepted run, as a multiple of its size"


class Thresholds(Part):
    """What all suites share: thresholds that only warn are named, and lower bounds lie below upper ones."""

    warn: tuple[str, ...] = Field(default=(), description=WARN)
    min_volume_ratio: Ratio = Field(default=0.5, description=_VOLUME)
    max_volume_ratio: Ratio = Field(default=2.0, description=_VOLUME)

    @model_validator(mode="after")
    def _known(self) -> Thresholds:
        known = sorted(set(type(self).model_fields) - {"warn"})
        for name in self.warn:
            if name not in known:
                near = nearest(name, known)
                hint = f"did you mean {near}?" if near else f"known: {listed(known, limit=30)}"
                raise ValueError(f"`warn` names {shown(name)}, which is no threshold of this suite; {hint}")
        if self.min_volume_ratio > self.max_volume_ratio:
            raise ValueError(
                f"min_volume_ratio {self.min_volume_ratio} is above max_volume_ratio {self.max_volume_ratio}"
            )
        return self


class TextThresholds(Thresholds):
    """Thresholds of all suites over texts."""

    max_length_drift: Ratio = Field(
        default=0.25, description="population stability index of text lengths against the last accepted run"
    )
    max_vocabulary_drift: Share = Field(
        default=0.1, description="Jensen-Shannon divergence of the words against the last accepted run"
    )
    max_repetitive_share: Share = Field(
        default=0.05, description="texts of which three tenths and more are one word, in a sample"
    )
