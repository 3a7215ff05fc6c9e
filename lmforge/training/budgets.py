"""What a run has used up of its steps, tokens and minutes, and whether it ends with the current step.

The learning rate follows the share of the budget that is nearest its end, so that a run which ends early has cooled
down. All of it is saved with a checkpoint: a resumed run ends where the whole run would have. Minutes are the
exception, because two machines, or two days, do not take the same time for a step.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl

from lmforge.recipe.optimization import Optimization
from models.lightning_module import LanguageModule
from models.objectives import Batch

_STATE = ("num_tokens", "ended_by", "best_loss", "num_worse", "validated_step", "agreed_seconds")


class Budgets(pl.Callback):
    """Counts tokens and seconds of training; the first of the callbacks, because the others ask it.

    ended_by: max_steps, max_tokens, max_minutes or early_stopping once the run ends with the step just done.
    paused_seconds: what validation took in this part of the run; it is not training. agreed: what all processes of the
    run take for a time that each of them has measured; they have to end with the same step.
    """

    def __init__(self, settings: Optimization, agreed: Callable[[float], float] = float) -> None:
        self.settings, self.agreed = settings, agreed
        self.num_tokens = 0
        self.ended_by: str | None = None
        self.best_loss, self.num_worse, self.validated_step = float("inf"), 0, 0
        self.seconds_before = self.paused_seconds = self.agreed_seconds = 0.0
        self.started = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _STATE} | {"seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seconds_before = state_dict["seconds"]
        for name in _STATE:
            setattr(self, name, state_dict[name])

    @property
    def seconds(self) -> float:
        """Seconds of training over all parts of the run, validation left out."""
        return self.seconds_before + time.monotonic() - self.started - self.paused_seconds

    def share(self, step: int) -> float:
        """How much of the nearest end is used up after `step` steps, 0 to about 1."""
        settings = self.settings
        tokens = self.num_tokens / settings.max_tokens if settings.max_tokens else 0.0
        minutes = self.agreed_seconds / 60 / settings.max_minutes if settings.max_minutes else 0.0
        return max(step / settings.max_steps, tokens, minutes)

    def validated(self, step: int, loss: float) -> None:
        """Take the validation loss after `step` into account; a step that is known changes nothing."""
        if step <= self.validated_step:
            return
        self.validated_step = step
        self.num_worse = 0 if loss < self.best_loss else self.num_worse + 1
        self.best_loss = min(loss, self.best_loss)
        patience = self.settings.early_stopping_patience
        if patience is not None and self.num_worse >= patience and self.ended_by is None:
            self.ended_by = "early_stopping"

    def restart_clock(self) -> None:
        """What came before, such as a validation that is made up for, does not count."""
        self.started, self.paused_seconds = time.monotonic(), 0.0

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: LanguageModule, batch: Batch, batch_idx: int
    ) -> None:
        # Before the step: right after it, the schedule asks for the next step's rate.
        self.num_tokens += num_tokens(batch)
        if self.settings.max_tokens or self.settings.max_minutes:
            pl_module.position = self.share(0) * self.settings.max_steps

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        settings = self.settings
        if settings.max_minutes:
            self.agreed_seconds = self.agreed(self.seconds)
        if trainer.global_step >= settings.max_steps:
            self.ended_by = "max_steps"
        elif settings.max_tokens and self.num_tokens >= settings.max_tokens:
            self.ended_by = "max_tokens"
        elif settings.max_minutes and self.agreed_seconds >= 60 * settings.max_minutes:
            self.ended_by = "max_minutes"


def num_tokens(batch: Batch) -> int:
    """Tokens of a batch, padding left out."""
    mask = batch.get("attention_mask")
    return batch["input_ids"].numel() if mask is None else int(mask.sum())
