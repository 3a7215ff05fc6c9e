"""What happens around the steps: metrics to a file, checkpoints, a clean stop on a signal, and progress for people."""

from __future__ import annotations

import json
import logging
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any

import pytorch_lightning as pl

from lmforge.training.batches import TrainingBatches
from lmforge.training.checkpoints import PATTERN, prune
from models.lightning_module import LanguageModule
from models.objectives import Batch

logger = logging.getLogger(__name__)

LINE_EVERY_SECONDS = 30.0


class MetricsFile(pl.Callback):
    """Appends rows of `{"step": n, "name": value, ...}` to metrics.jsonl; the training program knows no tracker.

    A resumed run first drops the rows after the checkpoint's step, so that no step is there twice.
    """

    def __init__(self, path: Path, log_every_n_steps: int) -> None:
        self.path = path
        self.every = log_every_n_steps
        self.tokens = self.tokens_before = 0
        self.seconds_before = 0.0
        self.validating_seconds = 0.0
        self.validated_step = -1
        self.latest: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self.tokens, "seconds": self.elapsed()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.tokens = self.tokens_before = state_dict["tokens"]
        self.seconds_before = state_dict["seconds"]

    def elapsed(self) -> float:
        """Seconds of training over all parts of the run, validation left out."""
        return self.seconds_before + time.monotonic() - self.started - self.validating_seconds

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        self.started = time.monotonic()
        kept = [row for row in read_metrics(self.path) if row["step"] <= trainer.global_step]
        self.path.write_text("".join(json.dumps(row) + "\n" for row in kept), encoding="utf-8")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: LanguageModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        mask = batch.get("attention_mask")
        self.tokens += batch["input_ids"].numel() if mask is None else int(mask.sum())
        if trainer.global_step % self.every and trainer.global_step != trainer.max_steps:
            return
        seconds = self.elapsed()
        row = {
            "train/loss": float(outputs["loss"]),
            "train/learning_rate": trainer.optimizers[0].param_groups[0]["lr"],
            "train/tokens": float(self.tokens),
            "train/tokens_per_second": self.tokens / max(seconds, 1e-9),
            "train/seconds": seconds,
        }
        self.latest |= row
        self._append({"step": trainer.global_step, **row})

    def on_validation_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        self.paused = time.monotonic()

    def on_validation_end(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        self.validating_seconds += time.monotonic() - self.paused
        values = {f"val/{name}": value for name, value in pl_module.objective.metrics(pl_module.totals).items()}
        self.latest |= values
        self.validated_step = trainer.global_step
        self._append({"step": trainer.global_step, "train/tokens": float(self.tokens), **values})

    def _append(self, row: dict[str, Any]) -> None:
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


class Checkpoints(pl.Callback):
    """Saves every n steps and when asked to stop; a signal stops the run after the current step."""

    def __init__(self, directory: Path, every_n_steps: int, keep: int) -> None:
        self.directory, self.every, self.keep = directory, every_n_steps, keep
        self.signal: int | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self.signal is not None:
            trainer.should_stop = True
        if self.signal is not None or trainer.global_step % self.every == 0:
            trainer.save_checkpoint(self.directory / PATTERN.format(step=trainer.global_step))
            prune(self.directory, self.keep)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.signal = number


class StartWhereStopped(pl.Callback):
    """Points the batches at the step that the checkpoint was written after."""

    def __init__(self, batches: TrainingBatches) -> None:
        self.batches = batches

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        self.batches.start_step = trainer.global_step


class Progress(pl.Callback):
    """A bar on a terminal, a line every 30 s otherwise; both on standard error."""

    def __init__(self, name: str, metrics: MetricsFile) -> None:
        self.name, self.metrics = name, metrics
        self.bar: Any = None
        self.printed = time.monotonic()

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=trainer.max_steps, initial=trainer.global_step, desc=self.name, unit="step", dynamic_ncols=True
            )

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if self.bar is not None:
            self.bar.update(1)
            self.bar.set_postfix_str(self._words(), refresh=False)
        elif time.monotonic() - self.printed >= LINE_EVERY_SECONDS:
            self.printed = time.monotonic()
            logger.info("%s: step %d of %d, %s", self.name, trainer.global_step, trainer.max_steps, self._words())

    def on_train_end(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        if self.bar is not None:
            self.bar.close()

    def _words(self) -> str:
        latest = self.metrics.latest
        shown = [f"loss {latest['train/loss']:.3f}"] if "train/loss" in latest else []
        shown += [f"val {latest['val/loss']:.3f}"] if "val/loss" in latest else []
        shown += [f"{latest['train/tokens_per_second']:,.0f} tokens/s"] if "train/tokens_per_second" in latest else []
        return ", ".join(shown)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """Rows of a metrics file; a half-written last line is left out."""
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n")]
