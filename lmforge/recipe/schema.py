"""A recipe: frozen models whose defaults finish on a laptop.

Learning rates, steps and batch sizes mean the same in pre-training and fine-tuning because both are one program.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, model_validator

from lmforge.recipe.base import Name, Part, Positive, Share
from lmforge.recipe.cleaning import Cleaning
from lmforge.recipe.data import Corpus, LabelledData
from lmforge.recipe.promises import Promises

Metric = Literal["macro_f1", "accuracy"]


class Tokenizer(Part):
    """A tokenizer trained on the clean corpus."""

    kind: Literal["wordpiece", "bpe"] = "wordpiece"
    vocab_size: Annotated[int, Field(ge=300, le=65_535)] = 8192
    lowercase: bool = False
    max_training_documents: Positive = Field(default=200_000, description="learn the vocabulary from so many documents")


class Model(Part):
    """A named architecture and size, or a base model to start from."""

    architecture: Literal["bert", "modernbert", "gpt2"] = "modernbert"
    size: Literal["nano", "micro", "mini", "small", "base"] = "mini"
    start_from: str | None = Field(
        default=None,
        validation_alias=AliasChoices("from", "start_from"),
        description="a transformers directory; pre-training is skipped",
    )


class Optimization(Part):
    """Settings of one training run."""

    max_steps: Positive = 1000
    global_batch_size: Positive = 32
    max_seq_length: Annotated[int, Field(ge=8, le=8192)] = 128
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 1e-3
    warmup_steps: Annotated[int, Field(ge=0)] = 20
    schedule: Literal["linear", "cosine", "trapezoid", "constant"] = "linear"
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.01
    gradient_clip_norm: Annotated[float, Field(gt=0)] = 1.0
    dropout: Share = 0.0
    eval_every_n_steps: Positive = 200
    checkpoint_every_n_steps: Positive = 500

    @model_validator(mode="after")
    def _warmup_fits(self) -> Optimization:
        if self.warmup_steps >= self.max_steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} must be below max_steps {self.max_steps}")
        return self


class Pretraining(Optimization):
    """Learning a language from the corpus."""

    objective: Literal["masked_lm", "contrastive_masked_lm", "causal_lm"] = "masked_lm"
    mask_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    contrastive_weight: Annotated[float, Field(ge=0)] = 1.0
    contrastive_temperature: Annotated[float, Field(gt=0)] = 0.07


class Finetuning(Optimization):
    """Learning a task from its labelled examples."""

    max_steps: Positive = 400
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    eval_every_n_steps: Positive = 100
    scratch_baseline: bool = Field(default=True, description="also train the same network without pre-training")


class Task(Part):
    """A downstream problem."""

    name: Name
    kind: Literal["sequence_classification"] = "sequence_classification"
    data: LabelledData
    metric: Metric = "macro_f1"
    minimum: Share = Field(default=0.0, description="no version with less on the test set is promoted")
    finetuning: Finetuning = Finetuning()


class Release(Part):
    """When a version may become the champion."""

    minimum_gain: Annotated[float, Field(ge=0, lt=1)] = 0.0
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.01
    resamples: Annotated[int, Field(ge=1000, le=1_000_000)] = 10_000


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

    @model_validator(mode="after")
    def _complete(self) -> Recipe:
        names = [task.name for task in self.tasks]
        if len(set(names)) < len(names):
            raise ValueError(f"two tasks share a name: {', '.join(sorted(names))}")
        if self.corpus is None and self.model.start_from is None:
            raise ValueError("give a `corpus` to pre-train on, or `model.from` with a base model to start from")
        if self.corpus is not None and self.model.start_from is not None:
            raise ValueError("`model.from` skips pre-training, so it does not go together with `corpus`; remove one")
        if self.corpus is None and not self.tasks:
            raise ValueError("give a `corpus`, `tasks`, or both: there is nothing to do")
        return self
