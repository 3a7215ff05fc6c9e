"""What happens around the steps: metrics to a file, validation, checkpoints, a clean stop, and progress for people.

They run in this order after each step, so that a checkpoint has behind it everything that its step measured.
"""

from __future__ import annotations

import io
import logging
import math
import sys
import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lmforge.errors import InputError, TrainingError
from lmforge.training.batches import ValidationBatches
from lmforge.training.checkpoints import checkpoint_path, prune_checkpoints, write_checkpoint
from lmforge.training.metrics import append_metrics, drop_after, read_metrics
from lmforge.training.spec import TrainingSpec
from lmforge.training.stopping import Stopped, StopRequest
from models.lightning_module import LanguageModule
from models.objectives import Batch

logger = logging.getLogger(__name__)

LINE_EVERY_SECONDS = 30.0


class Metrics(pl.Callback):
    """Writes metrics.jsonl, validation included; the training program knows no tracker.

    Validation is a part of the step that it is due after, and has a row of its own. A resumed run first drops the rows
    after its checkpoint's step and makes up for a validation that the stop cut off, so every row is there once.
    Raises TrainingError at the first loss that is not finite.
    """

    def __init__(self, spec: TrainingSpec, validation: ValidationBatches, stop: StopRequest) -> None:
        self.path = spec.metrics_file
        self.every, self.settings, self.name = spec.log_every_n_steps, spec.settings, spec.name
        self.validation, self.stop = validation, stop
        self.num_tokens = 0
        self.seconds_before = self.paused_seconds = self.learning_rate = 0.0
        self.started = time.monotonic()
        self.latest: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"tokens": self.num_tokens, "seconds": self._seconds()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.num_tokens = state_dict["tokens"]
        self.seconds_before = state_dict["seconds"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        drop_after(self.path, trainer.global_step)
        self.catch_up(trainer.global_step, pl_module)
        self.started, self.paused_seconds = time.monotonic(), 0.0

    def catch_up(self, step: int, module: LanguageModule) -> None:
        """Validate if that is due after `step` and was not done."""
        rows = read_metrics(self.path)
        self.latest = {name: value for row in rows for name, value in row.items() if name != "step"}
        if all(row["step"] != step or "val/loss" not in row for row in rows):
            self._validate_if_due(step, module)

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        # After the step the optimizer already has the next one's rate.
        self.learning_rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: LanguageModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        step, loss = trainer.global_step, float(outputs["loss"])
        self._refuse_not_finite(step, {"train/loss": loss})
        mask = batch.get("attention_mask")
        self.num_tokens += batch["input_ids"].numel() if mask is None else int(mask.sum())
        if step % self.every == 0 or step == self.settings.max_steps:
            self._log_step(step, loss)
        self._validate_if_due(step, pl_module)

    def _log_step(self, step: int, loss: float) -> None:
        seconds = self._seconds()
        row = {
            "train/loss": loss,
            "train/learning_rate": self.learning_rate,
            "train/tokens": float(self.num_tokens),
            "train/tokens_per_second": self.num_tokens / max(seconds, 1e-9),
            "train/seconds": seconds,
        }
        self._append(step, row)

    def _validate_if_due(self, step: int, module: LanguageModule) -> None:
        if step == 0 or (step % self.settings.eval_every_n_steps and step != self.settings.max_steps):
            return
        started = time.monotonic()
        values = self._validate(module)
        self.paused_seconds += time.monotonic() - started
        if values is not None:
            self._refuse_not_finite(step, values)
            self._append(step, {"train/tokens": float(self.num_tokens), **values})

    def _append(self, step: int, values: dict[str, float]) -> None:
        self.latest |= values
        append_metrics(self.path, {"step": step, **values})

    def _validate(self, module: LanguageModule) -> dict[str, float] | None:
        """Metrics over all validation batches, or None when a signal came in between."""
        totals: dict[str, float] = {}
        module.eval()
        with torch.inference_mode():
            for batch in self.validation:
                if self.stop.pending is not None:
                    break
                for name, value in module.objective.sums(module.model, _moved(batch, module)).items():
                    totals[name] = totals.get(name, 0.0) + value
        module.train()
        if self.stop.pending is not None:
            return None
        if not totals.get("count"):
            raise InputError(f"{self.name}: the validation data has no token to predict; add text")
        return {f"val/{name}": value for name, value in module.objective.metrics(totals).items()}

    def _refuse_not_finite(self, step: int, values: dict[str, float]) -> None:
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise TrainingError(
                f"{self.name}: {wrong[0]} at step {step}; lower learning_rate ({self.settings.learning_rate:g}) "
                "or raise warmup_steps"
            )

    def _seconds(self) -> float:
        """Seconds of training over all parts of the run, validation left out."""
        return self.seconds_before + time.monotonic() - self.started - self.paused_seconds


class Checkpoints(pl.Callback):
    """Saves every n steps, at the end and when asked to stop; then raises Stopped."""

    def __init__(self, spec: TrainingSpec, stop: StopRequest) -> None:
        self.directory, self.keep = spec.checkpoints, spec.keep_checkpoints
        self.every, self.max_steps = spec.settings.checkpoint_every_n_steps, spec.settings.max_steps
        self.stop = stop

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        self.stop.remember()
        if self.stop.pending is not None:
            raise Stopped(self.stop.pending)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        step, asked = trainer.global_step, self.stop.pending
        if asked is not None or step % self.every == 0 or step == self.max_steps:
            trainer.save_checkpoint(checkpoint_path(self.directory, step))
            prune_checkpoints(self.directory, self.keep)
        if asked is not None:
            raise Stopped(asked)


class AtomicCheckpointIO(TorchCheckpointIO):
    """Saves whole or not at all; loads tensors, numbers and strings only.

    Lightning's own writes through a temporary file that may lie on another file system, and never fsyncs.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        write_checkpoint(Path(path), buffer.getbuffer())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        loaded: dict[str, Any] = torch.load(path, map_location=map_location or "cpu", weights_only=True)
        return loaded


class Progress(pl.Callback):
    """A bar on a terminal, a line every 30 s otherwise; both on standard error."""

    def __init__(self, spec: TrainingSpec, metrics: Metrics) -> None:
        self.name, self.metrics, self.every = spec.name, metrics, spec.log_every_n_steps
        self.bar: Any = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        self.started = self.printed = time.monotonic()
        self.first_step = trainer.global_step
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=trainer.max_steps, initial=self.first_step, desc=self.name, unit="step", dynamic_ncols=True
            )

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        step = trainer.global_step
        if self.bar is not None:
            if step % self.every == 0:
                self.bar.set_postfix_str(_words(self.metrics.latest), refresh=False)
            self.bar.update(1)
        elif time.monotonic() - self.printed >= LINE_EVERY_SECONDS:
            self.printed = time.monotonic()
            left = (self.printed - self.started) / (step - self.first_step) * (trainer.max_steps - step)
            words = _words(self.metrics.latest)
            logger.info("%s: step %d of %d, %s, %s left", self.name, step, trainer.max_steps, words, _duration(left))

    def on_train_end(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: LanguageModule, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _words(latest: dict[str, float]) -> str:
    """Losses and speed for people, as far as they are known."""
    shown = [f"loss {latest['train/loss']:.3f}"] if "train/loss" in latest else []
    shown += [f"val {latest['val/loss']:.3f}"] if "val/loss" in latest else []
    shown += [f"{latest['train/tokens_per_second']:,.0f} tokens/s"] if "train/tokens_per_second" in latest else []
    return ", ".join(shown)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _moved(batch: Batch, module: LanguageModule) -> Batch:
    return {name: tensor.to(module.device) for name, tensor in batch.items()}
