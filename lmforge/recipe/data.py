"""The parts of a recipe about text: sources and labelled data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Union

from pydantic import Discriminator, Field, Tag, model_validator

from lmforge.recipe.base import Part, Positive, Share
from lmforge.recipe.cleaning import Cleaning, Decontamination, Deduplication
from lmforge.sources.base import SourceBase
from lmforge.sources.registry import SOURCES, kind_of


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
