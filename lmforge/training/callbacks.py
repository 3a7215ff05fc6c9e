"""What happens around the steps: metrics to a file, validation, checkpoints and a clean stop.

They run in this order after each step, so that a checkpoint has behind it everything that its step measured.
"""

from __future__ import annotations

import io
import math
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.io import TorchCheckpointIO

from lmforge.errors import InputError, TrainingError
from lmforge.training.averaging import Averaging
from lmforge.training.budgets import Budgets
from lmforge.training.checkpoints import checkpoint_path, prune_checkpoints, write_checkpoint
from lmforge.training.claiming import Claim
from lmforge.training.metrics import append_metrics, check_seal, drop_after, read_metrics, seal
from lmforge.training.samples import Samples
from lmforge.training.sharing import SharedValidation
from lmforge.training.spec import TrainingSpec
from lmforge.training.stopping import Stopped, StopRequest
from models.lightning_module import LanguageModule, sharded_root
from models.objectives import Batch


class Metrics(pl.Callback):
    """Writes metrics.jsonl, validation included; the training program knows no tracker.

    Validation is a part of the step that it is due after, and has a row of its own. A resumed run first drops the rows
    after its checkpoint's step and makes up for a validation that the stop cut off, so every row is there once.
    With `averaging`, the averaged weights are validated. Raises TrainingError for a validation that is not finite.
    """

    def __init__(
        self,
        spec: TrainingSpec,
        validation: SharedValidation,
        stop: StopRequest,
        claim: Claim,
        budgets: Budgets,
        averaging: Averaging | None = None,
        samples: Samples | None = None,
    ) -> None:
        self.budgets, self.averaging, self.samples = budgets, averaging, samples
        self.path, self.claim = spec.metrics_file, claim
        self.sealed: dict[str, Any] = {}
        self.every, self.settings, self.name = spec.log_every_n_steps, spec.settings, spec.name
        self.validation, self.stop = validation, stop
        self.learning_rate = 0.0
        self.latest: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        return {"rows": seal(self.path)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.sealed = state_dict["rows"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        if self.sealed:
            check_seal(self.path, self.sealed)
        drop_after(self.path, trainer.global_step)
        self.catch_up(trainer.global_step, pl_module)
        self.budgets.restart_clock()

    def catch_up(self, step: int, module: LanguageModule) -> None:
        """Validate if that is due after `step` and was not done."""
        rows = read_metrics(self.path)
        self.latest = {name: value for row in rows for name, value in row.items() if name != "step"}
        done = [row["val/loss"] for row in rows if row["step"] == step and "val/loss" in row]
        if done:
            self.budgets.validated(step, done[0])
        else:
            self._validate_if_due(step, module)

    def on_train_batch_start(self, trainer: pl.Trainer, *_: Any) -> None:
        # After the step the optimizer already has the next one's rate.
        self.learning_rate = trainer.optimizers[0].param_groups[0]["lr"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: LanguageModule, outputs: Any, batch: Batch, batch_idx: int
    ) -> None:
        step = trainer.global_step
        # A step without an update has no loss or gradient that JSON can hold; it has a file of its own.
        if pl_module.gradient_norm is not None and (step % self.every == 0 or self.budgets.ended_by):
            self._log_step(step, {"train/loss": pl_module.step_loss, "train/gradient_norm": pl_module.gradient_norm})
        self._validate_if_due(step, pl_module)

    def _log_step(self, step: int, values: dict[str, float]) -> None:
        seconds, num_tokens = self.budgets.seconds, self.budgets.num_tokens
        row = {
            "train/learning_rate": self.learning_rate,
            "train/tokens": float(num_tokens),
            "train/tokens_per_second": num_tokens / max(seconds, 1e-9),
            "train/seconds": seconds,
        }
        self._append(step, values | row)

    def _validate_if_due(self, step: int, module: LanguageModule) -> None:
        last = self.budgets.ended_by is not None or step == self.settings.max_steps
        if step == 0 or (step % self.settings.eval_every_n_steps and not last):
            return
        started = time.monotonic()
        values = self._validate(step, module)
        self.budgets.paused_seconds += time.monotonic() - started
        if values is not None:
            self._refuse_not_finite(step, values)
            self._append(step, {"train/tokens": float(self.budgets.num_tokens), **values})
            self.budgets.validated(step, values["val/loss"])

    def _append(self, step: int, values: dict[str, float]) -> None:
        self.latest |= values
        self.claim.check()
        append_metrics(self.path, {"step": step, **values})

    def _validate(self, step: int, module: LanguageModule) -> dict[str, float] | None:
        """Metrics over all validation batches, or None when a signal came in between."""
        totals: dict[str, float] = {}
        module.eval()
        averaged = self.averaging.applied(module) if self.averaging else nullcontext()
        sums = sharded_root(module) or module
        with averaged, torch.inference_mode(), module.trainer.precision_plugin.val_step_context():
            for batch in self.validation:
                if self.stop.pending is not None:
                    break
                for name, value in sums(_moved(batch, module)).items():
                    totals[name] = totals.get(name, 0.0) + value
            # Before the row of this validation: where that is, the samples are, too.
            if self.samples is not None and self.stop.pending is None:
                self.claim.check()
                self.samples.write(step, module)
        module.train()
        if self.stop.pending is not None:
            return None
        totals = self.validation.total(totals)
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


class Checkpoints(pl.Callback):
    """Saves every n steps, at the end, and when asked to stop, after which it raises Stopped.

    It also ends a run whose budgets are used up, and one that comes back to finish after that.
    """

    def __init__(self, spec: TrainingSpec, stop: StopRequest, claim: Claim, budgets: Budgets) -> None:
        self.claim, self.stop, self.budgets = claim, stop, budgets
        self.directory, self.keep = spec.checkpoints, spec.keep_checkpoints
        self.every = spec.settings.checkpoint_every_n_steps

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        self.stop.remember()
        if self.stop.pending is not None:
            raise Stopped(self.stop.pending)
        trainer.should_stop = self.budgets.ended_by is not None

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        step, asked = trainer.global_step, self.stop.pending
        ended = self.budgets.ended_by is not None
        trainer.should_stop = ended
        if asked is not None or step % self.every == 0 or ended:
            self.claim.check()
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


def _moved(batch: Batch, module: LanguageModule) -> Batch:
    return {name: tensor.to(module.device) for name, tensor in batch.items()}
