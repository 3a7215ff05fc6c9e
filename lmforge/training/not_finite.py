"""What follows a step whose loss or gradient is not finite: the end of the run, or the next step, up to a limit.

The module has left its weights and moments as they were before the step, under either policy. A skipped step counts as
a step, and its batch is not tried again: batches are a function of the step.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytorch_lightning as pl

from lmforge.errors import TrainingError
from lmforge.training.claiming import Claim
from lmforge.training.metrics import append_metrics, drop_after
from lmforge.training.spec import TrainingSpec
from models.lightning_module import LanguageModule

logger = logging.getLogger(__name__)


class NotFinite(pl.Callback):
    """Raises TrainingError with step and rows of the batch; or notes both in `skipped_steps.jsonl` and goes on.

    row_numbers: of the batch after so many steps, as they stand in the training data.
    """

    def __init__(self, spec: TrainingSpec, row_numbers: Callable[[int], np.ndarray], claim: Claim) -> None:
        self.name, self.settings, self.file = spec.name, spec.settings, spec.skipped_file
        self.metrics_file, self.row_numbers, self.claim = spec.metrics_file, row_numbers, claim
        self.num_skipped = 0

    def state_dict(self) -> dict[str, Any]:
        return {"num_skipped": self.num_skipped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.num_skipped = state_dict["num_skipped"]

    def on_train_start(self, trainer: pl.Trainer, pl_module: LanguageModule) -> None:
        drop_after(self.file, trainer.global_step)

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: LanguageModule, *_: Any) -> None:
        if pl_module.gradient_norm is not None:
            return
        step, rows = trainer.global_step, self.row_numbers(trainer.global_step - 1).tolist()
        loss = pl_module.step_loss
        what = "train/gradient_norm is not finite" if math.isfinite(loss) else f"train/loss is {loss}"
        found = f"{self.name}: {what} at step {step}"
        help_ = (
            f"lower learning_rate ({self.settings.learning_rate:g}) or raise warmup_steps; the batch is of the rows "
            f"{', '.join(map(str, rows))}"
        )
        if self.settings.not_finite == "stop":
            raise TrainingError(f"{found}; {help_}")
        self.num_skipped += 1
        self.claim.check()
        append_metrics(self.file, {"step": step, "what": what, "rows": rows})
        if self.num_skipped > self.settings.max_skipped_steps:
            raise TrainingError(f"{found}, and {self.settings.max_skipped_steps} steps were skipped before; {help_}")
        append_metrics(self.metrics_file, {"step": step, "train/skipped_steps": float(self.num_skipped)})
        logger.warning("%s; the step is skipped, %d so far", found, self.num_skipped)
