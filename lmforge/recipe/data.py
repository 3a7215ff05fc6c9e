"""The parts of a recipe about text: sources and labelled data."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lmforge.recipe.base import Part, Positive, Share
from lmforge.recipe.cleaning import Cleaning, Decontamination, Deduplication


class FilesSource(Part):
    """Local files: JSON Lines, CSV, Parquet or plain text, each also gzipped."""

    kind: Literal["files"] = "files"
    path: str = Field(description="file or glob, relative to the project")
    format: Literal["auto", "jsonl", "csv", "parquet", "text"] = Field(
        default="auto", description="auto: by the file name's ending"
    )
    text: str = Field(default="text", description="field that holds the text")
    id: str | None = Field(default=None, description="field that identifies a record; default: file and position")
    encoding: str = "utf-8"
    max_line_bytes: Positive = Field(default=1 << 24, description="longer lines are quarantined")

    @property
    def pattern(self) -> str:
        """The files that the source is made of."""
        return self.path


class DatasetSource(Part):
    """A Hugging Face dataset on disk, as `save_to_disk` writes it; nothing is fetched."""

    kind: Literal["dataset"]
    path: str = Field(description="directory, relative to the project")
    split: str = Field(default="train", description="split to read, where the directory holds several")
    text: str = Field(default="text", description="column that holds the text")
    id: str | None = Field(default=None, description="column that identifies a record; default: path and position")

    @property
    def pattern(self) -> str:
        """The files that the source is made of."""
        return f"{self.path}/**"


Source = Annotated[FilesSource | DatasetSource, Field(discriminator="kind")]


class Corpus(Part):
    """The unlabelled text to learn a language from."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    cleaning: Cleaning = Cleaning()
    deduplication: Deduplication = Deduplication()
    decontamination: Decontamination = Decontamination()
    validation_share: Share = Field(default=0.02, description="share of clean documents kept for validation loss")

    @field_validator("sources", mode="before")
    @classmethod
    def _files_by_default(cls, sources: Any) -> Any:
        if not isinstance(sources, list | tuple):
            return sources
        return tuple({"kind": "files"} | source if isinstance(source, dict) else source for source in sources)


class LabelledData(Part):
    """Labelled examples: one file that is split here by group, or three files split by you."""

    path: str | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    format: Literal["auto", "jsonl", "csv", "parquet"] = "auto"
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
