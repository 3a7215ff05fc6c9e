"""What the training program is told: one JSON file, so that any launcher can start it and a run can be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from lmforge.recipe.optimization import Finetuning, Pretraining


class TrainingSpec(BaseModel):
    """One training run.

    tokenizer: directory with tokenizer.json. data: directory with `train.npy` and `validation.npy` (packed tokens) or
    with `train.parquet` and `validation.parquet` (labelled examples). start: transformers directory whose weights are
    the start; None draws new ones, for the network that `architecture` and `size` name, or that of the directory
    `network` with its configuration alone. replay: directory of earlier token blocks, for `settings.replay`. run_dir:
    checkpoints, metrics.jsonl and result.json; a run that finds a checkpoint there goes on from it. model_dir: where
    the finished model is written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seed: int = Field(ge=0)
    architecture: str
    size: str
    tokenizer: Path
    data: Path
    start: Path | None = None
    network: Path | None = None
    replay: Path | None = None
    objective: str
    settings: Pretraining | Finetuning
    labels: tuple[str, ...] = ()
    num_threads: int = Field(ge=1)
    log_every_n_steps: int = Field(default=20, ge=1)
    keep_checkpoints: int = Field(default=2, ge=1)
    run_dir: Path
    model_dir: Path
    probes: Path | None = None

    @property
    def checkpoints(self) -> Path:
        """Directory of the checkpoints."""
        return self.run_dir / "checkpoints"

    @property
    def metrics_file(self) -> Path:
        """Rows of `{"step": n, "train/loss": ..., ...}`; grows while the program runs."""
        return self.run_dir / "metrics.jsonl"

    @property
    def samples(self) -> Path:
        """Directory of what the network answered at each validation, a page a step."""
        return self.run_dir / "samples"

    @property
    def skipped_file(self) -> Path:
        """A row for each step without an update: why, and the rows of its batch in the training data."""
        return self.run_dir / "skipped_steps.jsonl"

    @property
    def learning_rate_file(self) -> Path:
        """What the search for a learning rate measured and chose; a resumed run reads it."""
        return self.run_dir / "learning_rate.json"

    @property
    def execution_file(self) -> Path:
        """Precision, threads and compilation that were chosen for the run."""
        return self.run_dir / "execution.json"

    @property
    def result_file(self) -> Path:
        """What the program measured last; written when the model is complete."""
        return self.run_dir / "result.json"

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if isinstance(self.settings, Finetuning):
            if self.objective != "sequence_classification" or len(self.labels) < 2:
                raise ValueError("settings of fine-tuning go with sequence_classification and at least two labels")
        elif self.objective != self.settings.objective:
            raise ValueError(f"objective {self.objective} but settings.objective {self.settings.objective}: write one")
        elif self.labels:
            raise ValueError("pre-training has no labels: leave `labels` out")
        return self
