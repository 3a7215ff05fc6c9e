"""What the training program is told: one JSON file, so that any launcher can start it and a run can be repeated."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from lmforge.recipe.schema import Finetuning, Pretraining


class TrainingSpec(BaseModel):
    """One training run.

    tokenizer: directory with tokenizer.json. data: directory with `train.npy` and `validation.npy` (token blocks) or
    with `train.parquet` and `validation.parquet` (labelled examples). start: transformers directory whose weights are
    the start; None draws new ones. run_dir: checkpoints, metrics.jsonl and result.json; a run that finds a checkpoint
    there goes on from it. model_dir: where the finished model is written.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seed: int
    architecture: str
    size: str
    tokenizer: Path
    data: Path
    start: Path | None = None
    objective: Literal["masked_lm", "causal_lm", "sequence_classification"]
    settings: Pretraining | Finetuning
    labels: tuple[str, ...] = ()
    num_threads: int = Field(ge=1)
    precision: Literal["32-true"] = "32-true"
    log_every_n_steps: int = 20
    keep_checkpoints: int = 2
    run_dir: Path
    model_dir: Path
