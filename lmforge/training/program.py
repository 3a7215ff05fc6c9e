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
from torch.utils.data import DataLoader
from transformers import PreTrainedModel
from transformers.utils import logging as transformers_logging

from lmforge.computing import compute_repeatably
from lmforge.faults import point
from lmforge.training.allocation import keep_freed_memory
from lmforge.training.averaging import Averaging
from lmforge.training.budgets import Budgets
from lmforge.training.building import build_model
from lmforge.training.callbacks import AtomicCheckpointIO, Checkpoints, Metrics
from lmforge.training.checkpoints import newest_checkpoint, step_of
from lmforge.training.claiming import Claim, claimed
from lmforge.training.durable import write_file
from lmforge.training.following import checkpoint_to_resume, own_spec
from lmforge.training.identity import hold_to
from lmforge.training.learning_rates import find_learning_rate
from lmforge.training.mixing import TrainingData
from lmforge.training.not_finite import NotFinite
from lmforge.training.objectives import extra_tokens
from lmforge.training.probe import Execution, prepare_execution
from lmforge.training.processes import AgreedStop, Processes, joined
from lmforge.training.progress import Progress
from lmforge.training.samples import Samples
from lmforge.training.sharing import Agreement, SharedValidation, share
from lmforge.training.spec import TrainingSpec
from lmforge.training.stopping import Stopped, StopRequest
from lmforge.training.strategies import check_devices, load_gathered, trainer_settings
from models.architectures import released
from models.fusing import fuse
from models.lightning_module import LanguageModule
from models.memory import recompute_activations
from models.objectives import Objective
from models.tying import tie_gradients
from models.vocabulary import restore_whole_table, train_used_rows

logger = logging.getLogger(__name__)


def run(spec: TrainingSpec, stop: StopRequest) -> int:
    """Train as the spec says; return the number of the signal that stopped it, or 0.

    Raises InputError for data that cannot be trained on, TrainingError when the loss is not finite or another process
    trains in the same directory.
    """
    _quiet()
    keep_freed_memory()
    compute_repeatably()
    with (
        joined(spec.settings.num_processes) as processes,
        own_spec(spec, processes) as own,
        claimed(own.run_dir) as claim,
    ):
        check_devices(spec.settings, processes)
        return _run(own, AgreedStop(stop, processes), claim, processes)


def _run(spec: TrainingSpec, stop: AgreedStop, claim: Claim, processes: Processes) -> int:
    resumed = checkpoint_to_resume(spec, processes)
    hold_to(spec, resumed=resumed is not None)
    torch.manual_seed(spec.seed)
    settings = spec.settings
    data = TrainingData(spec)
    module = _module(spec, build_model(spec), data.objective)
    _lighten_tables(spec, module, data, processes)
    if resumed:
        logger.info("%s: going on from %s", spec.name, resumed.name)
    train = data.training(step_of(resumed))
    budgets = Budgets(settings, processes.told)
    averaging = Averaging(settings.ema_decay) if settings.ema_decay else None
    sharded = settings.strategy == "fsdp"
    # No process has all weights of a sharded network: all of them pass every batch through it, and none writes samples.
    samples = Samples(spec, data.validation()) if processes.first and not sharded else None
    validation = SharedValidation(data.validation(), processes, stop, whole=sharded)
    metrics = Metrics(spec, validation, stop, claim, budgets, averaging, samples)
    callbacks: list[pl.Callback] = [Agreement(stop), budgets, NotFinite(spec, train.indices, claim)]
    callbacks += [*([averaging] if averaging else []), metrics, Checkpoints(spec, stop, claim, budgets)]
    callbacks += [Progress(spec, metrics)] if processes.first else []
    execution = prepare_execution(
        spec, module, train.batch(0), processes, same_shapes=train.same_shapes, resumed=resumed is not None
    )
    trainer = _trainer(spec, callbacks, execution.precision, trainer_settings(settings, module.model, processes))
    # transformers loads a model in evaluation mode and Lightning leaves it there, without dropout.
    module.train()
    if settings.find_learning_rate:
        module.learning_rate = processes.told(find_learning_rate(spec, module, train.batch))
    share(module, processes)
    try:
        trainer.fit(module, DataLoader(train, batch_size=None), ckpt_path=resumed, weights_only=True)
    except Stopped as stopped:
        done = f"stopped after step {trainer.global_step} of {settings.max_steps}"
        logger.warning("%s: %s; start it again to go on from there", spec.name, done)
        stop.leave_at_once()
        return stopped.number
    if stop.pending is not None:
        return stop.pending
    stop.leave_at_once()
    if sharded:
        module.model = load_gathered(build_model(spec), processes.told(newest_checkpoint(spec.checkpoints)))
    metrics.catch_up(trainer.global_step, module)
    claim.check()
    if averaging:
        averaging.apply(module)
    restore_whole_table(module.model)
    if processes.first:
        _finish(spec, module, execution, {**metrics.latest, "steps": trainer.global_step, "ended_by": budgets.ended_by})
    return 0


def _finish(spec: TrainingSpec, module: LanguageModule, execution: Execution, measured: dict[str, Any]) -> None:
    """Write the model, then what was measured."""
    from transformers import AutoTokenizer

    model = released(module.model).float().eval()
    model.save_pretrained(spec.model_dir)
    point("train.model.weights")
    # What was never seen in training is cut off by whoever loads the model.
    length = spec.settings.max_seq_length
    tokenizer = AutoTokenizer.from_pretrained(spec.tokenizer, local_files_only=True, trust_remote_code=False)
    tokenizer.model_max_length = length
    if extra := extra_tokens(spec.settings):
        tokenizer.add_special_tokens({"extra_special_tokens": list(extra)})
    tokenizer.save_pretrained(spec.model_dir)
    point("train.model.tokenizer")
    num_parameters = sum(weight.numel() for weight in model.parameters())
    result = measured | {"parameters": num_parameters, **execution._asdict()}
    write_file(spec.result_file, (json.dumps(result, indent=2) + "\n").encode(), "train.result")


def _trainer(spec: TrainingSpec, callbacks: list[pl.Callback], precision: Any, spread: dict[str, Any]) -> pl.Trainer:
    return pl.Trainer(
        precision=precision,
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
        **spread,
    )


def _module(spec: TrainingSpec, model: PreTrainedModel, objective: Objective) -> LanguageModule:
    fuse(model)
    if spec.settings.gradient_checkpointing:
        recompute_activations(model)
    names = ("learning_rate", "warmup_steps", "max_steps", "schedule", "weight_decay", "micro_batch_size")
    settings: dict[str, Any] = {name: getattr(spec.settings, name) for name in names}
    settings["by_length"] = bool(spec.labels) and spec.settings.strategy != "fsdp"
    return LanguageModule(model, objective, **settings, betas=(0.9, 0.98), seed=spec.seed)


def _lighten_tables(spec: TrainingSpec, module: LanguageModule, data: TrainingData, processes: Processes) -> None:
    """Leave out what is nothing but memory traffic in the gradient of the vocabulary's table."""
    if spec.settings.strategy == "fsdp":
        return  # shards are of whole tables
    used = data.used_ids()
    if used is None and processes.size == 1:
        tie_gradients(module.model)  # several processes exchange a gradient before the rows are in it
    elif used is not None and train_used_rows(module.model, used, by_rows=processes.size == 1):
        logger.info("%s: texts hold %d tokens; the others of the vocabulary stay as they are", spec.name, len(used))


def _quiet() -> None:
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
