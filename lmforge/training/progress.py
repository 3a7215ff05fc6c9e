"""Progress for people: a bar on a terminal, a line every half a minute otherwise, both on standard error."""

from __future__ import annotations

import logging
import sys
import time
from typing import Any

import pytorch_lightning as pl

from lmforge.training.callbacks import Metrics
from lmforge.training.spec import TrainingSpec

logger = logging.getLogger(__name__)

LINE_EVERY_SECONDS = 30.0
# All words fit into 80 columns, and the bar takes what is left; tqdm's own form cuts off the speed there.
_BAR = "{desc} {n_fmt}/{total_fmt}{postfix} {bar}"


class Progress(pl.Callback):
    """Loss, speed and the time left until the nearest end of the run."""

    def __init__(self, spec: TrainingSpec, metrics: Metrics) -> None:
        self.name, self.metrics, self.every = spec.name, metrics, spec.log_every_n_steps
        self.bar: Any = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = self.printed = time.monotonic()
        self.first_share = self.metrics.budgets.share(trainer.global_step)
        if sys.stderr.isatty():
            from tqdm import tqdm

            done, total = trainer.global_step, trainer.max_steps
            self.bar = tqdm(total=total, initial=done, desc=self.name, bar_format=_BAR, dynamic_ncols=True)

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        step = trainer.global_step
        if self.bar is not None:
            if step % self.every == 0:
                self.bar.set_postfix_str(self._words(step), refresh=False)
            self.bar.update(1)
        elif time.monotonic() - self.printed >= LINE_EVERY_SECONDS:
            self.printed = time.monotonic()
            logger.info("%s: step %d of %d, %s", self.name, step, trainer.max_steps, self._words(step))

    def _words(self, step: int) -> str:
        share = self.metrics.budgets.share(step)
        left = (time.monotonic() - self.started) / (share - self.first_share) * (1 - share)
        return _words(self.metrics.latest, left)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        self._close()

    def _close(self) -> None:
        if self.bar is not None:
            self.bar.close()


def _words(latest: dict[str, float], left: float) -> str:
    """Losses, seconds left and speed for people, as far as they are known; what counts most comes first."""
    shown = [f"loss {latest['train/loss']:.3f}"] if "train/loss" in latest else []
    shown += [f"val {latest['val/loss']:.3f}"] if "val/loss" in latest else []
    shown += [f"{_duration(left)} left"]
    shown += [f"{latest['train/tokens_per_second']:,.0f} tokens/s"] if "train/tokens_per_second" in latest else []
    return ", ".join(shown)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
