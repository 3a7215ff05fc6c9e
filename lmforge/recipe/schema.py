"""A recipe: frozen models whose defaults finish on a laptop."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, model_validator

from lmforge.recipe.base import Name, Part, Positive, Share
from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.recipe.data import Corpus, LabelledData
from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.recipe.promises import Promises
from lmforge.recipe.release import Release
from models.fitting import misfit

Metric = Literal["macro_f1", "accuracy"]
# How the name of a version in MLflow's registry begins.
REGISTERED = "models:/"
# How the name of a registered base model ends, as that of a task model ends with the task's.
BASE = "base"


class Tokenizer(Part):
    """A tokenizer trained on the clean corpus."""

    kind: Literal["wordpiece", "bpe"] = "wordpiece"
    vocab_size: Annotated[int, Field(ge=300, le=65_535)] = 8192
    lowercase: bool = False
    max_training_documents: Positive = Field(default=200_000, description="learn the vocabulary from so many documents")
    engine: Literal["auto", "tokenizers", "tokie"] = Field(
        default="auto", description="what encodes; auto: tokie where it is installed and gives the ids of tokenizers"
    )


class Model(Part):
    """A named architecture and size, or a base model to start from."""

    architecture: Literal["bert", "modernbert", "electra", "gpt2", "llama", "t5", "bart"] = "modernbert"
    size: Literal["nano", "micro", "mini", "small", "base"] = "mini"
    start_from: str | None = Field(
        default=None,
        validation_alias=AliasChoices("from", "start_from"),
        description="a transformers directory or models:/NAME/VERSION or models:/NAME@ALIAS, whose architecture and "
        "tokenizer are used; with a corpus pre-training goes on from it, without one only tasks are learned",
    )


class Baselines(Part):
    """What the classical baselines leave out of a text; no language model is trained on such text."""

    stop_words: Literal["none", "english"] = Field(
        default="none", description="drop the stop words of scikit-learn's list from the texts of TF-IDF"
    )
    stemming: Literal["none", "english"] = Field(
        default="none", description="reduce words to their stem for TF-IDF (Snowball, Porter 2001)"
    )


class Task(Part):
    """A downstream problem."""

    name: Name
    kind: Literal["sequence_classification"] = "sequence_classification"
    data: LabelledData
    metric: Metric = "macro_f1"
    minimum: Share = Field(default=0.0, description="no version with less on the test set is promoted")
    finetuning: Finetuning = Finetuning()
    baselines: Baselines = Baselines()


class Recipe(Part):
    """Text, labels and model of one pipeline."""

    name: Name
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 42
    corpus: Corpus | None = None
    tokenizer: Tokenizer = Tokenizer()
    model: Model = Model()
    pretraining: Pretraining = Pretraining()
    tasks: tuple[Task, ...] = ()
    expectations: Promises = Promises()
    release: Release = Release()

    @property
    def cleaning(self) -> Cleaning:
        """How text is cleaned: labelled examples like the corpus, by the defaults where there is none."""
        return self.corpus.cleaning if self.corpus else Cleaning()

    @property
    def deduplication(self) -> Deduplication:
        """What counts as a near duplicate, in the corpus and between the splits of labelled examples."""
        return self.corpus.deduplication if self.corpus else Deduplication()

    @property
    def releases_base(self) -> bool:
        """Whether the base model is registered and judged: where it is what the recipe ends with, or if asked for."""
        if self.corpus is None or not self.pretraining.predicts_text:
            return False
        return not self.tasks if self.release.base_model is None else self.release.base_model

    @model_validator(mode="after")
    def _base_is_there(self) -> Recipe:
        if self.release.base_model and self.corpus is None:
            raise ValueError("`release.base_model` has no effect without a `corpus`: nothing is pre-trained; remove it")
        if self.release.base_model and not self.pretraining.predicts_text:
            raise ValueError(
                f"`release.base_model`: what {self.pretraining.objective} trains gives no probabilities of text, so "
                "there is nothing to judge it by; remove it"
            )
        return self

    @model_validator(mode="after")
    def _name_is_free(self) -> Recipe:
        if self.releases_base and any(task.name == BASE for task in self.tasks):
            raise ValueError(f"a task is named {BASE}, as is the base model in the registry: name the task otherwise")
        return self

    @model_validator(mode="after")
    def _objective_fits(self) -> Recipe:
        # The architecture of a model that is started from is known when it is opened.
        if self.corpus is not None and self.model.start_from is None:
            for objective in self.pretraining.objectives:
                if reason := misfit(objective, self.model.architecture):
                    raise ValueError(f"model.architecture and pretraining.objective: {reason}")
        return self

    @model_validator(mode="after")
    def _start_is_whole(self) -> Recipe:
        start, replay = self.model.start_from, self.pretraining.replay
        if replay and (start is None or self.corpus is None):
            raise ValueError("`pretraining.replay` is for going on from `model.from` with a `corpus`; remove it")
        if replay and replay.tokens is None and not str(start).startswith(REGISTERED):
            raise ValueError(
                "`pretraining.replay.tokens` is missing: a directory does not say what it was trained on; name the "
                f"artifact of its stage tokenize, or start from {REGISTERED}NAME/VERSION"
            )
        if start and self.corpus and (own := sorted(self.tokenizer.model_fields_set - {"engine"})):
            raise ValueError(f"`model.from` brings its tokenizer, so `tokenizer.{own[0]}` has no effect; remove it")
        return self

    @model_validator(mode="after")
    def _complete(self) -> Recipe:
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"two tasks share a name: {', '.join(sorted(names))}")
        if self.corpus is None and self.model.start_from is None:
            raise ValueError("give a `corpus` to pre-train on, or `model.from` with a base model to start from")
        if self.corpus is None and not self.tasks:
            raise ValueError("give a `corpus`, `tasks`, or both: there is nothing to do")
        return self
