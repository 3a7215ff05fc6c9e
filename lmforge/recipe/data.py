"""The parts of a recipe about text: sources and labelled data."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, model_validator

from lmforge.recipe.base import Part, Positive, Share
from lmforge.recipe.cleaning import Cleaning, Decontamination, Deduplication
from lmforge.sources.base import SourceBase
from lmforge.sources.registry import SOURCES, kind_of

# Slices that every classifier's evidence has.
BUILT_IN_SLICES = ("length", "class")


def _kind(source: Any) -> str:
    """Which kind of source is meant; local files where nothing is said."""
    return _tag(source.get("kind", "files") if isinstance(source, dict) else getattr(source, "kind", "files"))


def _tag(kind: Any) -> str:
    # Tags stand among the keys in what pydantic reports, and one kind is called like a key of it.
    return f"kind={kind}"


if TYPE_CHECKING:
    Source = SourceBase
else:
    # Not by the name of the field, because there the default kind would have to be spelled.
    Source = Annotated[
        Union[tuple(Annotated[source, Tag(_tag(kind_of(source)))] for source in SOURCES)],  # noqa: UP007
        Discriminator(_kind),
    ]


class Corpus(Part):
    """The unlabelled text to learn a language from."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    cleaning: Cleaning = Cleaning()
    deduplication: Deduplication = Deduplication()
    decontamination: Decontamination = Decontamination()
    validation_share: Share = Field(default=0.02, description="share of clean documents kept for validation loss")


class LabelledData(Part):
    """Labelled examples: one file that is split here by group, or three files split by you."""

    path: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    format: Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "arrow"] = "auto"
    text: str = "text"
    label: str = "label"
    id: str | None = None
    group: str | None = Field(
        default=None, description="field whose equal values never straddle two splits; default: id"
    )
    labels: tuple[str, ...] = Field(default=(), description="labels to keep; empty keeps all")
    # Left out of a dump where it is empty, so that a recipe that names none keeps the keys of its stages.
    slices: tuple[str, ...] = Field(
        default=(),
        max_length=16,
        exclude_if=lambda names: not names,
        description="fields whose values part the test set, so that the gate looks at each part; `language` without "
        "such a field is the one that was recognised",
    )
    validation_share: Share = 0.1
    test_share: Share = 0.15
    max_train_examples_per_label: Positive | None = Field(
        default=None, description="train on only so many examples of each label; the rest stays out of all splits"
    )
    max_words: Positive = Field(default=100_000, description="longer examples are quarantined")
    encoding: str = "utf-8"

    @model_validator(mode="after")
    def _one_or_three(self) -> LabelledData:
        split = [self.train, self.validation, self.test]
        if self.path and any(split):
            raise ValueError("give either `path` or `train`, `validation` and `test`, not both")
        if not self.path and not all(split):
            raise ValueError("give `path`, or all of `train`, `validation` and `test`")
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share + test_share leave nothing to train on")
        return self

    @model_validator(mode="after")
    def _slices_once(self) -> LabelledData:
        repeated = sorted(name for name, number in Counter(self.slices).items() if number > 1)
        if repeated:
            raise ValueError(f"`slices` names {', '.join(repeated)} more than once")
        if taken := [name for name in self.slices if name in (*BUILT_IN_SLICES, self.text, self.label)]:
            raise ValueError(
                f"`slices`: {', '.join(taken)} cannot be named: slices by length and by class are always made, "
                "and a text or label is none"
            )
        return self
