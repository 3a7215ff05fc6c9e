"""Stage `finetune`: learn a task from labelled examples, from pre-trained weights or, as a baseline, from new ones."""

from __future__ import annotations

import json
from pathlib import Path

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome
from lmforge.recipe.schema import Task
from lmforge.tokenization.adopting import AdoptedTokenizerUnit
from lmforge.training.spec import TrainingSpec
from tasks.context import Run
from tasks.sharding import sharded
from tasks.stage import make, stage_task
from tasks.training import num_threads, train


@stage_task
def finetune_model(run: Run, task: Task, labelled: Artifact, base: Artifact | None) -> State[Artifact]:
    """The task model from `base`, or from what the recipe's `model.from` names."""
    start = base.path / "model" if base else _given(run)

    def build(out: Path) -> Outcome:
        tokenizer = start if base else _adopted(run, start, task.finetuning.max_seq_length)
        return _finetune(run, task, f"finetune-{task.name}", labelled, out, tokenizer=tokenizer, start=start)

    inputs = {f"label-{task.name}": labelled} | ({"pretrain": base} if base else {})
    return make(run, f"finetune-{task.name}", inputs, build)


@stage_task
def finetune_from_scratch(run: Run, task: Task, labelled: Artifact, tokens: Artifact) -> State[Artifact]:
    """The same network with the same settings but without pre-training: what pre-training has to beat."""

    def build(out: Path) -> Outcome:
        return _finetune(
            run, task, f"scratch-{task.name}", labelled, out, tokenizer=tokens.path / "tokenizer", start=None
        )

    return make(run, f"scratch-{task.name}", {f"label-{task.name}": labelled, "tokenize": tokens}, build)


def _finetune(
    run: Run, task: Task, stage: str, labelled: Artifact, out: Path, *, tokenizer: Path, start: Path | None
) -> Outcome:
    spec = TrainingSpec(
        name=stage,
        seed=run.recipe.seed,
        architecture=run.recipe.model.architecture,
        size=run.recipe.model.size,
        tokenizer=tokenizer,
        data=labelled.path,
        start=start,
        network=None if start or run.start is None else run.start.directory,
        objective=task.kind,
        settings=task.finetuning,
        labels=tuple(json.loads((labelled.path / "labels.json").read_text(encoding="utf-8"))),
        num_threads=num_threads(),
        run_dir=run.training_directory(stage, out.name),
        model_dir=out / "model",
        probes=run.home.path / "probes.json",
    )
    facts = train(run, spec, "finetune" if start else "scratch", {f"{task.name} examples": labelled})
    return Outcome(facts=facts)


def _adopted(run: Run, start: Path, max_seq_length: int) -> Path:
    """The tokenizer of a start as `tokenize` would leave it: a given one names and neutralises no special token."""
    with sharded(run) as workshop:
        return workshop.make([AdoptedTokenizerUnit(start, max_seq_length)])[0].path


def _given(run: Run) -> Path:
    assert run.start is not None, "a recipe without a corpus starts from a model"
    return run.start.directory
