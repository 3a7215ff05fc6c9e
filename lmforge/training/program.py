"""One training run from a spec: build, fit (from the newest checkpoint if there is one), write the model.

Exit codes: 0 with `result.json` and a model directory; 2 for a bad spec or data; 130 or 143 after a signal, with a
checkpoint written unless no step was done; 1 otherwise.
"""

from __future__ import annotations

import json
import logging
import warnings
from typing import Any

import pytorch_lightning as pl
import torch
from filelock import FileLock, Timeout
from torch.utils.data import DataLoader
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from lmforge.errors import InputError, TrainingError
from lmforge.recipe.optimization import Pretraining
from lmforge.training.batches import ExampleRows, Rows, TrainingBatches, ValidationBatches, language_rows
from lmforge.training.callbacks import AtomicCheckpointIO, Checkpoints, Metrics, Progress
from lmforge.training.checkpoints import newest_checkpoint, step_of
from lmforge.training.objectives import extra_tokens, objective_of, special_ids
from lmforge.training.spec import TrainingSpec
from lmforge.training.stopping import Stopped, StopRequest
from models.architectures import Special, build_config, classifier, language_model, released
from models.lightning_module import LanguageModule
from models.objectives import Objective

logger = logging.getLogger(__name__)

# Positions are a table in BERT and GPT-2: one size for both programs lets fine-tuning use longer texts.
MIN_POSITIONS = 512
# A program whose pipeline was killed finishes its step and writes a checkpoint; the next one waits for that.
LOCK_SECONDS = 60.0


def run(spec: TrainingSpec, stop: StopRequest) -> int:
    """Train as the spec says; return the number of the signal that stopped it, or 0.

    Raises InputError for data that cannot be trained on, TrainingError when the loss is not finite or another process
    trains in the same directory.
    """
    _quiet()
    spec.run_dir.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(spec.run_dir / ".lock", timeout=LOCK_SECONDS):
            return _run(spec, stop)
    except Timeout as error:
        raise TrainingError(f"{spec.run_dir}: another process trains here; wait for it, or stop it") from error


def _run(spec: TrainingSpec, stop: StopRequest) -> int:
    torch.set_num_threads(spec.num_threads)
    torch.manual_seed(spec.seed)
    settings = spec.settings
    objective = objective_of(settings, spec.tokenizer)
    module = _module(spec, _model(spec, special_ids(spec.tokenizer)), objective)
    resumed = newest_checkpoint(spec.checkpoints)
    if resumed:
        logger.info("%s: going on from %s", spec.name, resumed.name)
    train = TrainingBatches(
        _rows(spec, "train"),
        objective,
        batch_size=settings.global_batch_size,
        max_steps=settings.max_steps,
        seed=spec.seed,
        start_step=step_of(resumed),
    )
    metrics = Metrics(spec, ValidationBatches(_rows(spec, "validation"), objective, settings.global_batch_size), stop)
    trainer = _trainer(spec, [metrics, Checkpoints(spec, stop), Progress(spec, metrics)])
    # transformers loads a model in evaluation mode and Lightning leaves it there, without dropout.
    module.train()
    try:
        trainer.fit(module, DataLoader(train, batch_size=None), ckpt_path=resumed, weights_only=True)
    except Stopped as stopped:
        done = f"stopped after step {trainer.global_step} of {settings.max_steps}"
        logger.warning("%s: %s; start it again to go on from there", spec.name, done)
        return stopped.number
    if stop.pending is not None:
        return stop.pending
    stop.leave_at_once()
    metrics.catch_up(trainer.global_step, module)
    _finish(spec, module, metrics.latest)
    return 0


def _finish(spec: TrainingSpec, module: LanguageModule, latest: dict[str, float]) -> None:
    """Write the model, then what was measured."""
    from transformers import AutoTokenizer

    model = released(module.model).eval()
    model.save_pretrained(spec.model_dir)
    # What was never seen in training is cut off by whoever loads the model.
    length = spec.settings.max_seq_length
    tokenizer = AutoTokenizer.from_pretrained(spec.tokenizer, local_files_only=True, trust_remote_code=False)
    tokenizer.model_max_length = length
    if extra := extra_tokens(spec.settings):
        tokenizer.add_special_tokens({"extra_special_tokens": list(extra)})
    tokenizer.save_pretrained(spec.model_dir)
    num_parameters = sum(weight.numel() for weight in model.parameters())
    result = latest | {"steps": spec.settings.max_steps, "parameters": num_parameters}
    spec.result_file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _trainer(spec: TrainingSpec, callbacks: list[pl.Callback]) -> pl.Trainer:
    return pl.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=1,
        precision=spec.precision,
        max_steps=spec.settings.max_steps,
        gradient_clip_val=spec.settings.gradient_clip_norm,
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
    labels, length, dropout = list(spec.labels), spec.settings.max_seq_length, spec.settings.dropout
    if spec.start is not None:
        model = _started(spec, labels)
        # An architecture with relative positions has no end of them.
        if length > (positions := getattr(model.config, "max_position_embeddings", length)):
            raise InputError(f"max_seq_length {length} is more than the {positions} positions of {spec.start}")
        if special.vocab_size > model.config.vocab_size:
            raise InputError(
                f"{spec.tokenizer} has {special.vocab_size} tokens, but {spec.start} has {model.config.vocab_size}"
            )
        return model
    special = special._replace(vocab_size=special.vocab_size + len(extra_tokens(spec.settings)))
    try:
        config = build_config(
            spec.architecture, spec.size, special, max_positions=max(MIN_POSITIONS, length), dropout=dropout
        )
        if isinstance(spec.settings, Pretraining):
            return language_model(spec.objective, config, generator_share=spec.settings.generator_share)
        return classifier(labels, config=config)
    except ValueError as error:
        raise InputError(f"{spec.name}: {error}") from error


def _started(spec: TrainingSpec, labels: list[str]) -> PreTrainedModel:
    assert spec.start is not None
    try:
        return classifier(labels, start=spec.start, dropout=spec.settings.dropout)
    except (OSError, ValueError) as error:
        raise InputError(f"{spec.start}: no model that can be started from: {error}") from error


def _module(spec: TrainingSpec, model: PreTrainedModel, objective: Objective) -> LanguageModule:
    names = ("learning_rate", "warmup_steps", "max_steps", "schedule", "weight_decay")
    settings: dict[str, Any] = {name: getattr(spec.settings, name) for name in names}
    return LanguageModule(model, objective, **settings, betas=(0.9, 0.98), seed=spec.seed)


def _rows(spec: TrainingSpec, split: str) -> Rows:
    kind = "parquet" if spec.labels else "npy"
    path = spec.data / f"{split}.{kind}"
    if not path.is_file():
        raise InputError(f"{path}: no such file; `data` needs train.{kind} and validation.{kind}")
    if isinstance(spec.settings, Pretraining):
        return language_rows(spec.settings, path, spec.tokenizer)
    return ExampleRows(path, spec.tokenizer, spec.labels, spec.settings.max_seq_length)


def _quiet() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
