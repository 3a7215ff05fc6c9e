"""Everything that a gate looks at: facts, what both models answered to plain and changed text, and how long they took.

Nothing is remembered from an earlier run: the champion's answers and times were made beside the challenger's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import polars as pl
from pydantic import Field, model_validator

from lmforge.artifacts.artifact import Frozen
from lmforge.recipe.release import Release


class Subject(Frozen):
    """A version of the registered model: content of its directory and what it costs; memory is peak resident memory."""

    version: str
    fingerprint: str
    size_bytes: int
    peak_memory_bytes: int | None = None


class SelfTest(Frozen):
    """Whether the files were those that were registered, and whether a clean process could load them and answer."""

    files_verified: bool
    answered: bool
    words: str = Field(description="what failed, or how many examples were answered")


class Facts(Frozen):
    """What is known beside the answers; all of it enters the gate hash.

    minimum, baselines: values of the metric; test_digest: of the frozen test set that was answered; overlapping_ids:
    test examples that also stand in training text; labels: of macro-F1; code: fingerprint or commit of the program;
    environment: versions of what computed, by name; made_at: ISO 8601.
    """

    name: str
    task_kind: str
    metric: str
    labels: tuple[str, ...] = ()
    minimum: float | None = None
    baselines: dict[str, float] = Field(default_factory=dict)
    test_digest: str
    overlapping_ids: tuple[str, ...] = ()
    self_test: SelfTest
    challenger: Subject
    champion: Subject | None = None
    policy: Release = Release()
    seed: int
    code: str
    environment: dict[str, str] = Field(default_factory=dict)
    made_at: str

    @model_validator(mode="before")
    @classmethod
    def _before_noise_was_judged(cls, found: Any) -> Any:
        """Stored facts that name neither robustness nor fairness are of a gate that had no such rules."""
        policy = found.get("policy") if isinstance(found, dict) else None
        absent = {"robustness": None, "fairness": None}
        return found | {"policy": absent | policy} if isinstance(policy, dict) else found


class Evidence(NamedTuple):
    """What `judge` decides on.

    examples: see lmforge/release/examples.py. latency: a row a pair of calls that followed each other, with the columns
    `challenger_seconds` and `champion_seconds`; None where nothing was timed. variants: see
    lmforge/release/variants.py; None where no changed text was answered.
    """

    facts: Facts
    examples: pl.DataFrame
    latency: pl.DataFrame | None = None
    variants: pl.DataFrame | None = None
