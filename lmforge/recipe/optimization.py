"""How a model is trained, in pre-training and in fine-tuning alike, because both are one program.

Learning rates, steps and batch sizes mean the same in both. The default of a setting changes nothing about a plain run.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lmforge.recipe.base import Part, Positive, Share
from lmforge.recipe.mixing import Learned, Mixed, Replay
from models.fitting import clash

# Objectives whose rows are filled with several pieces of documents.
PACKED = ("masked_lm", "replaced_token_detection", "causal_lm")


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
    max_tokens: Positive | None = Field(default=None, description="also end after so many tokens, padding left out")
    max_minutes: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="also end after so many minutes of training; such a run cannot be repeated exactly"
    )
    early_stopping_patience: Positive | None = Field(
        default=None, description="also end after so many validations in a row without a lower loss"
    )
    micro_batch_size: Positive | None = Field(
        default=None, description="rows in memory at a time; gradients of global_batch_size rows are accumulated"
    )
    max_tokens_per_batch: Positive | None = Field(
        default=None,
        description="in place of global_batch_size: rows of like length with at most so many tokens, padding included",
    )
    gradient_checkpointing: bool = Field(default=False, description="compute activations twice to save their memory")
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.0, description="keep and release a moving average of the weights; 0 keeps none"
    )
    not_finite: Literal["stop", "skip"] = Field(
        default="stop", description="what follows a loss or gradient that is not finite: the end, or a step without it"
    )
    max_skipped_steps: Positive = Field(default=10, description="with not_finite: skip, end after so many such steps")
    find_learning_rate: bool = Field(
        default=False, description="before training, look for the rate below which the loss falls fastest, and use it"
    )
    precision: Literal["auto", "32-true", "bf16-mixed", "bf16-true", "16-mixed"] = Field(
        default="auto", description="auto: the fastest of fp32 and bf16 in a short probe on this machine"
    )
    compile: Literal["auto", "on", "off"] = Field(
        default="auto", description="torch.compile; auto: when a run is long enough to win its time back"
    )
    num_threads: Positive | None = Field(default=None, description="of the processor; default: a short probe decides")
    num_processes: Positive = Field(default=1, description="processes that share global_batch_size, one a device")
    strategy: Literal["ddp", "fsdp"] = Field(
        default="ddp", description="with num_processes above 1: copies of the model, or shards of it (GPUs only)"
    )

    @model_validator(mode="after")
    def _warmup_fits(self) -> Optimization:
        if self.warmup_steps >= self.max_steps:
            raise ValueError(f"warmup_steps {self.warmup_steps} must be below max_steps {self.max_steps}")
        return self

    @model_validator(mode="after")
    def _parts_fill_a_batch(self) -> Optimization:
        if self.micro_batch_size and self.global_batch_size % self.micro_batch_size:
            raise ValueError(
                f"global_batch_size {self.global_batch_size} must be a multiple of micro_batch_size "
                f"{self.micro_batch_size}"
            )
        if self.global_batch_size % (rows := self.num_processes * (self.micro_batch_size or 1)):
            each = f" times micro_batch_size {self.micro_batch_size}" if self.micro_batch_size else ""
            raise ValueError(
                f"global_batch_size {self.global_batch_size} must be a multiple of num_processes {self.num_processes}"
                f"{each}: write {-(-self.global_batch_size // rows) * rows}"
            )
        return self

    @model_validator(mode="after")
    def _processes_agree(self) -> Optimization:
        if self.strategy == "fsdp" and self.num_processes == 1:
            raise ValueError("strategy fsdp shards a model over processes: set num_processes above 1, or leave it out")
        if self.strategy == "fsdp" and self.ema_decay:
            raise ValueError("ema_decay needs the whole model in each process: use strategy ddp, or leave it out")
        if self.strategy == "fsdp" and self.micro_batch_size:
            raise ValueError(
                "micro_batch_size does not go with strategy fsdp, whose shards are gathered once a step: leave it out, "
                "and set gradient_checkpointing where memory is short"
            )
        return self

    @model_validator(mode="after")
    def _overflow_is_skipped(self) -> Optimization:
        if self.precision == "16-mixed" and self.not_finite == "stop":
            raise ValueError("precision 16-mixed finds its range by gradients that overflow: it needs not_finite: skip")
        return self


class Denoising(Part):
    """How `denoising` spoils a text (Lewis et al. 2020, section 2.2); each share may be 0."""

    mask_share: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="tokens that become [MASK]")
    deletion_share: Annotated[float, Field(ge=0, lt=1)] = Field(default=0.0, description="tokens that are left out")
    infilling_share: Annotated[float, Field(ge=0, lt=1)] = Field(
        default=0.3, description="tokens in spans of pretraining.mean_span_length that become one [MASK] a span"
    )
    permutation_share: Share = Field(default=1.0, description="rows whose sentences change places")

    @model_validator(mode="after")
    def _leaves_text(self) -> Denoising:
        if self.mask_share + self.deletion_share >= 1:
            raise ValueError("mask_share and deletion_share must add up to less than 1, or no token is left to read")
        return self


class Pretraining(Optimization):
    """Learning a language from the corpus."""

    objective: Learned = "masked_lm"
    mixture: tuple[Mixed, ...] = Field(default=(), description="further objectives of the same run")
    replay: Replay | None = Field(default=None, description="with model.from: mix in what the model has learned before")
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

    @model_validator(mode="after")
    def _batch_can_be_cut(self) -> Pretraining:
        if "contrastive_masked_lm" in self.objectives and (self.micro_batch_size or self.num_processes > 1):
            name = "micro_batch_size" if self.micro_batch_size else "num_processes"
            raise ValueError(f"contrastive_masked_lm compares all rows of a batch: leave {name} out")
        return self

    @model_validator(mode="after")
    def _budget_is_felt(self) -> Pretraining:
        full = [one for one in self.objectives if one in PACKED]
        if self.max_tokens_per_batch and full:
            rows = max(1, self.max_tokens_per_batch // self.max_seq_length)
            raise ValueError(
                f"max_tokens_per_batch is for rows of unequal length, and {full[0]} packs documents into rows of "
                f"{self.max_seq_length} tokens: write global_batch_size: {rows}"
            )
        return self

    @model_validator(mode="after")
    def _mixes(self) -> Pretraining:
        if reason := clash([self.objective, *(one.objective for one in self.mixture)]):
            raise ValueError(f"mixture: {reason}")
        if (total := sum(one.share for one in self.mixture)) >= 1:
            raise ValueError(f"mixture: the shares add up to {total:g} and leave nothing for {self.objective}")
        # "replay" is what validation on earlier text is called.
        names = [one.label for one in self.mixture] + (["replay"] if self.replay else [])
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"mixture: the name {twice[0]} stands twice; give each a `name` of its own")
        return self

    @model_validator(mode="after")
    def _replays_rows(self) -> Pretraining:
        if self.replay and self.max_tokens_per_batch:
            raise ValueError("replay takes a share of a fixed number of rows: leave max_tokens_per_batch out with it")
        if self.replay and not 0 < self.num_replayed_rows < self.global_batch_size:
            raise ValueError(
                f"replay.share {self.replay.share:g} of {self.global_batch_size} rows is {self.num_replayed_rows} rows "
                "when rounded: change it, or raise global_batch_size, so that a batch has new and earlier rows"
            )
        return self

    @property
    def num_replayed_rows(self) -> int:
        """Rows of earlier text in each batch."""
        return round(self.replay.share * self.global_batch_size) if self.replay else 0

    @property
    def objectives(self) -> tuple[str, ...]:
        """All objectives of the run, the main one first."""
        return (self.objective, *(one.objective for one in self.mixture))

    def alone(self, one: Mixed | None = None) -> Pretraining:
        """The settings of a single objective of the run, by default of the main one."""
        own = {} if one is None else one.model_dump(include={"objective", "mask_share", "mean_span_length"})
        given = {name: value for name, value in own.items() if value is not None}
        return self.model_copy(update=given | {"mixture": ()})

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
