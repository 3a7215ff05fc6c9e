"""One turn of ours: the training program itself, or the same network and batches in a loop by hand.

A process of its own a turn. The program runs as in production, with its callbacks, metrics and checkpoints; nothing of
it is replaced. The loop by hand is what LightningModule and callbacks are compared with.

Usage: python benchmarks/training_ours.py SPEC.json [--by-hand]   (prints the measurements as JSON)
       the warm-up steps are `log_every_n_steps` of the spec
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from training_clock import Stopwatch

from lmforge.recipe.optimization import Pretraining
from lmforge.training.batches import TrainingBatches
from lmforge.training.metrics import read_metrics
from lmforge.training.objectives import objective_of, special_ids
from lmforge.training.program import run
from lmforge.training.rows import language_rows
from lmforge.training.spec import TrainingSpec
from lmforge.training.stopping import StopRequest
from models.architectures import build_config, language_model
from models.lightning_module import LanguageModule


def main() -> None:
    spec = TrainingSpec.model_validate_json(Path(sys.argv[1]).read_bytes())
    clock = Stopwatch()
    tokens, steps = by_hand(spec) if "--by-hand" in sys.argv else by_program(spec)
    warm_up_steps = spec.log_every_n_steps
    num_examples = (steps - warm_up_steps) * spec.settings.global_batch_size
    print(json.dumps(clock.turn(tokens, num_examples, warm_up_steps, steps) | row_lengths(spec)))


def by_program(spec: TrainingSpec) -> tuple[int, int]:
    """Run the program; returns the real tokens of the steps that count, and all steps: a budget may end it early."""
    if status := run(spec, StopRequest()):
        sys.exit(128 + status)
    seen = {row["step"]: row["train/tokens"] for row in read_metrics(spec.metrics_file)}
    steps = max(seen)
    return int(seen[steps] - seen[spec.log_every_n_steps]), steps


def by_hand(spec: TrainingSpec) -> tuple[int, int]:
    """The program's steps without Lightning; returns the real tokens of the steps that count, and all steps."""
    settings = spec.settings
    torch.set_num_threads(spec.num_threads)
    torch.manual_seed(spec.seed)
    special = special_ids(spec.tokenizer)
    config = build_config(spec.architecture, spec.size, special, max_positions=512, dropout=settings.dropout)
    model = language_model(spec.objective, config).train()
    objective = objective_of(settings, spec.tokenizer)
    names = ("learning_rate", "warmup_steps", "max_steps", "schedule", "weight_decay")
    values = {name: getattr(settings, name) for name in names}
    made = LanguageModule(model, objective, **values, betas=(0.9, 0.98), seed=spec.seed).configure_optimizers()
    optimizer, scheduler = made["optimizer"], made["lr_scheduler"]["scheduler"]
    tokens = 0
    for step, batch in enumerate(batches(spec)):
        optimizer.zero_grad()
        objective.loss(model, batch).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings.gradient_clip_norm)
        optimizer.step()
        scheduler.step()
        tokens += num_tokens(batch) if step >= spec.log_every_n_steps else 0
    return tokens, settings.max_steps


def batches(spec: TrainingSpec) -> TrainingBatches:
    settings = spec.settings
    assert isinstance(settings, Pretraining)
    return TrainingBatches(
        language_rows(settings, spec.data / "train.npy", spec.tokenizer),
        objective_of(settings, spec.tokenizer),
        batch_size=settings.global_batch_size,
        max_steps=settings.max_steps,
        seed=spec.seed,
    )


def num_tokens(batch: dict[str, torch.Tensor]) -> int:
    mask = batch.get("attention_mask")
    return batch["input_ids"].numel() if mask is None else int((mask > 0).sum())


def row_lengths(spec: TrainingSpec) -> dict[str, float]:
    """Real tokens of an encoder-decoder's inputs and targets, a row on average; nothing for other objectives."""
    if spec.objective not in ("span_corruption", "denoising"):
        return {}
    sample = [batches(spec).batch(step) for step in range(spec.settings.max_steps)]
    num_rows = sum(len(batch["labels"]) for batch in sample)
    targets = sum(int((batch["labels"] >= 0).sum()) for batch in sample)
    return {"inputs": sum(map(num_tokens, sample)) / num_rows, "targets": targets / num_rows}


if __name__ == "__main__":
    main()
