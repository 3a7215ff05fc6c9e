"""How a model is trained, in pre-training and in fine-tuning alike, because both are one program.

Learning rates, steps and batch sizes mean the same in both. The default of a setting changes nothing about a plain run.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lmforge.recipe.base import Part, Positive, Share


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
        default=None, description="batches of rows of like length with at most so many tokens, padding included"
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
