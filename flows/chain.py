"""The parts of the chain that more than one flow walks through; each step is a task, named as what it yields."""

from __future__ import annotations

from lmforge.artifacts import Artifact
from lmforge.recipe.schema import Task
from tasks.clean import clean_corpus
from tasks.collect import collect_corpus
from tasks.context import Run
from tasks.data_reporting import report_data
from tasks.evaluate import answer_baselines, evaluate_language, evaluate_task
from tasks.finetune import finetune_from_scratch, finetune_model
from tasks.label import label_examples
from tasks.pretrain import pretrain_model
from tasks.promote import promote_base, promote_model
from tasks.register import register_model
from tasks.registering_base import register_base
from tasks.report import report_base, report_task
from tasks.tokenize import tokenize_corpus
from tasks.waiting import ask_for_approval

Artifacts = dict[str, Artifact]


def prepare(run: Run) -> Artifacts:
    """From documents to validated token blocks; the labelled sets come first, to keep them out of the corpus."""
    labelled = {task.name: label_examples(run, task) for task in run.recipe.tasks}
    made = {f"label-{name}": examples for name, examples in labelled.items()}
    if run.recipe.corpus:
        raw = collect_corpus(run)
        clean = clean_corpus(run, raw, labelled)
        tokens = tokenize_corpus(run, clean)
        made |= {"collect": raw, "clean": clean, "tokenize": tokens}
    report_data(run, made)
    return made


def pretrain(run: Run, made: Artifacts) -> Artifacts:
    """From token blocks to a base model and its evidence; a recipe without a corpus brings its own base model."""
    if not run.recipe.corpus:
        return made
    base = pretrain_model(run, made["tokenize"])
    if run.recipe.pretraining.predicts_text:
        made = made | {"evaluate-language": evaluate_language(run, base, made["tokenize"], made["clean"])}
    return made | {"pretrain": base}


def release_base(run: Run, made: Artifacts) -> None:
    """From a base model's evidence to a registered version and the decision on it, where the recipe releases one."""
    if not run.recipe.releases_base:
        return
    registered = register_base(run, made)
    decision = promote_base(run, registered, made)
    decision = ask_for_approval(registered, decision)
    report_base(run, registered, decision, made["evaluate-language"])


def finetune(run: Run, task: Task, made: Artifacts) -> Artifacts:
    """From a base model to a task model and its evidence, baselines beside it."""
    labelled = made[f"label-{task.name}"]
    baselines = answer_baselines(run, task, labelled)
    model = finetune_model(run, task, labelled, made.get("pretrain"))
    compare = run.recipe.corpus and task.finetuning.scratch_baseline
    scratch = finetune_from_scratch(run, task, labelled, made["tokenize"]) if compare else None
    evidence = evaluate_task(run, task, labelled, baselines, model, scratch)
    return made | {f"finetune-{task.name}": model, f"evaluate-{task.name}": evidence}


def release(run: Run, task: Task, made: Artifacts) -> None:
    """From evidence to a registered version and the decision on it, which may have to wait for a person."""
    model, evidence = made[f"finetune-{task.name}"], made[f"evaluate-{task.name}"]
    registered = register_model(run, task, model, evidence, made)
    decision = promote_model(run, task, registered, made[f"label-{task.name}"], evidence)
    decision = ask_for_approval(registered, decision)
    report_task(run, task, registered, decision, evidence)
