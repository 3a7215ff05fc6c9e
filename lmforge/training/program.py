"""One training run from a spec: build, fit (from the newest checkpoint if there is one), write the model.

Exit codes: 0 with `result.json` and a model directory; 2 for a bad spec or data; 130 or 143 after a signal, with a
checkpoint written; 1 otherwise.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader
from transformers import AutoTokenizer, PreTrainedModel

from lmforge.errors import TrainingError
from lmforge.training.batches import BlockRows, ExampleRows, Rows, TrainingBatches, ValidationBatches
from lmforge.training.callbacks import Checkpoints, MetricsFile, Progress, StartWhereStopped
from lmforge.training.checkpoints import AtomicCheckpointIO, newest
from lmforge.training.objectives import objective_of, special_ids
from lmforge.training.spec import TrainingSpec
from models.architectures import Special, build_config, classifier, language_model
from models.lightning_module import LanguageModule
from models.objectives import Objective

logger = logging.getLogger(__name__)

METRICS_FILE = "metrics.jsonl"
RESULT_FILE = "result.json"


def run(spec: TrainingSpec) -> int:
    """Train as the spec says; return the number of the signal that stopped it, or 0."""
    _quiet()
    torch.set_num_threads(spec.num_threads)
    torch.manual_seed(spec.seed)
    spec.run_dir.mkdir(parents=True, exist_ok=True)
    objective = objective_of(spec.settings, spec.tokenizer)
    module = _module(spec, _model(spec, special_ids(spec.tokenizer)), objective)
    train = TrainingBatches(
        _rows(spec, "train"), objective, batch_size=spec.settings.global_batch_size,
        max_steps=spec.settings.max_steps, seed=spec.seed,
    )  # fmt: skip
    validation = ValidationBatches(_rows(spec, "validation"), objective, spec.settings.global_batch_size)
    metrics = MetricsFile(spec.run_dir / METRICS_FILE, spec.log_every_n_steps)
    checkpoints = Checkpoints(
        spec.run_dir / "checkpoints", spec.settings.checkpoint_every_n_steps, spec.keep_checkpoints
    )
    trainer = _trainer(spec, [StartWhereStopped(train), metrics, checkpoints, Progress(spec.name, metrics)])
    loaders = DataLoader(train, batch_size=None), DataLoader(validation, batch_size=None)
    resumed = newest(checkpoints.directory)
    if resumed:
        logger.info("%s: going on from %s", spec.name, resumed.name)
    trainer.fit(module, *loaders, ckpt_path=resumed, weights_only=True)
    if checkpoints.signal is not None:
        return checkpoints.signal
    _finish(spec, trainer, module, metrics)
    return 0


def _finish(spec: TrainingSpec, trainer: pl.Trainer, module: LanguageModule, metrics: MetricsFile) -> None:
    if metrics.validated_step != trainer.global_step:
        trainer.validate(module, trainer.val_dataloaders, verbose=False)
    if not all(math.isfinite(value) for value in metrics.latest.values()):
        raise TrainingError(f"{spec.name}: the loss is not finite ({metrics.latest}); lower learning_rate")
    module.model.eval().save_pretrained(spec.model_dir)
    AutoTokenizer.from_pretrained(spec.tokenizer, local_files_only=True).save_pretrained(spec.model_dir)
    result = metrics.latest | {
        "steps": trainer.global_step,
        "parameters": sum(weight.numel() for weight in module.model.parameters()),
    }
    (spec.run_dir / RESULT_FILE).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _trainer(spec: TrainingSpec, callbacks: list[pl.Callback]) -> pl.Trainer:
    return pl.Trainer(
        accelerator="cpu" if not torch.cuda.is_available() else "gpu",
        devices=1,
        precision=spec.precision,
        max_steps=spec.settings.max_steps,
        gradient_clip_val=spec.settings.gradient_clip_norm,
        val_check_interval=min(spec.settings.eval_every_n_steps, spec.settings.max_steps),
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=spec.run_dir,
        plugins=[AtomicCheckpointIO()],
        callbacks=callbacks,
    )


def _model(spec: TrainingSpec, special: Special) -> PreTrainedModel:
    dropout = spec.settings.dropout
    labels = list(spec.labels)
    if spec.start is not None:
        return classifier(labels, start=spec.start, dropout=dropout)
    config = build_config(spec.architecture, spec.size, special, max_positions=MAX_POSITIONS, dropout=dropout)
    return classifier(labels, config=config) if labels else language_model(spec.objective, config)


# Positions are a table in BERT and GPT-2: one size for both programs lets fine-tuning use longer texts.
MAX_POSITIONS = 512


def _module(spec: TrainingSpec, model: PreTrainedModel, objective: Objective) -> LanguageModule:
    names = ("learning_rate", "warmup_steps", "max_steps", "schedule", "weight_decay")
    settings: dict[str, Any] = {name: getattr(spec.settings, name) for name in names}
    return LanguageModule(model, objective, **settings, betas=(0.9, 0.98), seed=spec.seed)


def _rows(spec: TrainingSpec, split: str) -> Rows:
    if spec.labels:
        return ExampleRows(spec.data / f"{split}.parquet", spec.tokenizer, spec.labels, spec.settings.max_seq_length)
    return BlockRows(spec.data / f"{split}.npy")


def _quiet() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    np.seterr(all="raise", under="ignore")
