"""A recipe: frozen models whose defaults finish on a laptop.

Learning rates, steps and batch sizes mean the same in pre-training and fine-tuning because both are one program.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AliasChoices, Field, model_validator

from lmforge.recipe.base import Name, Part, Positive, Share
from lmforge.recipe.cleaning import Cleaning, Deduplication
from lmforge.recipe.data import Corpus, LabelledData
from lmforge.recipe.promises import Promises
from models.fitting import misfit

Metric = Literal["macro_f1", "accuracy"]


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


class Denoising(Part):
    """How `denoising` spoils a text (Lewis et al. 2020, section 2.2); each share may be 0."""

    mask_share: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="tokens that become [MASK]")
    deletion_share: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="tokens that are left out")
    infilling_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.3, description="tokens in spans of pretraining.mean_span_length that become one [MASK] a span"
    )
    permutation_share: Share = Field(default=1.0, description="blocks whose sentences change places")

    @model_validator(mode="after")
    def _leaves_text(self) -> Denoising:
        if self.mask_share + self.deletion_share >= 1:
            raise ValueError("mask_share and deletion_share must add up to less than 1, or no token is left to read")
        return self


class Pretraining(Optimization):
    """Learning a language from the corpus."""

    objective: Literal[
        "masked_lm",
        "contrastive_masked_lm",
        "next_sentence",
        "sentence_order",
        "replaced_token_detection",
        "causal_lm",
        "span_corruption",
        "denoising",
    ] = "masked_lm"
    mask_share: Annotated[float, Field(gt=0, lt=1)] = 0.15
    whole_words: bool = Field(default=False, description="mask all pieces of a word or none")
    contrastive_weight: Annotated[float, Field(ge=0)] = 1.0
    contrastive_temperature: Annotated[float, Field(gt=0)] = 0.07
    mean_span_length: Annotated[float, Field(ge=1, le=100)] = Field(
        default=3.0, description="tokens of a hidden span, for span_corruption and denoising"
    )
    detection_weight: Annotated[float, Field(ge=0)] = Field(
        default=50.0, description="of the detector beside its generator, for replaced_token_detection"
    )
    generator_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.25, description="heads of the generator as a share of the detector's"
    )
    denoising: Denoising = Denoising()

    @model_validator(mode="after")
    def _words_are_masked(self) -> Pretraining:
        if self.whole_words and self.objective in ("causal_lm", "span_corruption", "denoising"):
            raise ValueError(f"whole_words is for objectives that mask single tokens, not for {self.objective}")
        return self

    @property
    def predicts_text(self) -> bool:
        """Whether the model that is left gives probabilities of text; a detector of replaced tokens does not."""
        return self.objective != "replaced_token_detection"


class Finetuning(Optimization):
    """Learning a task from its labelled examples."""

    max_steps: Positive = 400
    warmup_steps: Annotated[int, Field(ge=0)] = 10
    learning_rate: Annotated[float, Field(gt=0, lt=1)] = 5e-4
    eval_every_n_steps: Positive = 100
    scratch_baseline: bool = Field(default=True, description="also train the same network without pre-training")


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

    @property
    def deduplication(self) -> Deduplication:
        """What counts as a near duplicate, in the corpus and between the splits of labelled examples."""
        return self.corpus.deduplication if self.corpus else Deduplication()

    @model_validator(mode="after")
    def _objective_fits(self) -> Recipe:
        if self.corpus is not None and (reason := misfit(self.pretraining.objective, self.model.architecture)):
            raise ValueError(f"model.architecture and pretraining.objective: {reason}")
        return self

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
