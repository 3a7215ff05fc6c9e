"""The parts of a recipe about text: sources, cleaning, labelled data and the promises that the data must keep."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from lmforge.recipe.base import Part, Positive, Share


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


class Cleaning(Part):
    """What a document must be to be kept."""

    languages: tuple[str, ...] = Field(default=(), description="ISO 639-1 codes to keep; empty keeps all")
    min_words: Positive = 5
    max_words: Positive = 100_000
    min_language_probability: Share = Field(
        default=0.5, description="below it a language is undetermined and the document kept"
    )

    @model_validator(mode="after")
    def _ordered(self) -> Cleaning:
        if self.min_words > self.max_words:
            raise ValueError(f"min_words {self.min_words} is above max_words {self.max_words}")
        return self


class Deduplication(Part):
    """Documents with the same normalised text are kept once: the first in source order."""

    exact: bool = True


Source = Annotated[FilesSource | DatasetSource, Field(discriminator="kind")]


class Corpus(Part):
    """The unlabelled text to learn a language from."""

    sources: Annotated[tuple[Source, ...], Field(min_length=1)]
    cleaning: Cleaning = Cleaning()
    deduplication: Deduplication = Deduplication()
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


class RawPromises(Part):
    """Thresholds of the suite `raw_corpus`."""

    min_documents: Positive = 100
    max_empty_share: Share = 0.05
    max_quarantine_share: Share = 0.05
    min_mean_words: float = 3.0


class CleanPromises(Part):
    """Thresholds of the suite `clean_corpus`."""

    min_documents: Positive = 100
    min_kept_share: Share = 0.2
    max_replacement_character_share: Share = 0.01
    max_duplicate_share: Share = 0.0
    max_control_character_share: Share = 0.0


class LabelledPromises(Part):
    """Thresholds of the suite `labelled_examples`."""

    min_train_examples: Positive = 20
    min_test_examples: Positive = 20
    min_examples_per_label: Positive = 2
    max_overlap_share: Share = Field(
        default=0.0, description="share of test texts that also stand in the training split"
    )
    max_majority_share: Share = 0.95


class TokenizedPromises(Part):
    """Thresholds of the suite `tokenized_corpus`."""

    min_blocks: Positive = 8
    max_unknown_share: Share = 0.01
    max_tokens_per_word: float = Field(default=4.0, gt=0)
    min_vocabulary_used: Share = Field(default=0.5, description="share of the vocabulary that occurs in the corpus")


class Promises(Part):
    """Thresholds of all suites; a broken one stops the run."""

    raw_corpus: RawPromises = RawPromises()
    clean_corpus: CleanPromises = CleanPromises()
    labelled_examples: LabelledPromises = LabelledPromises()
    tokenized_corpus: TokenizedPromises = TokenizedPromises()
