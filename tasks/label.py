"""Stage `label`: the labelled examples of one task, split once for all."""

from __future__ import annotations

from pathlib import Path

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome
from lmforge.recipe.schema import Task
from tasks.context import Run
from tasks.stage import make, stage_task


@stage_task
def label_examples(run: Run, task: Task) -> State[Artifact]:
    """Train, validation and frozen test examples of `task` as Parquet, and the quarantine."""
    stage = f"label-{task.name}"

    def build(out: Path) -> Outcome:
        from expectations.labelled_examples import labelled_examples
        from lmforge.text.labelling import label, label_table
        from tasks.gating import gate
        from tasks.validation import scan_labelled

        labelled = label(
            task.data, out, root=run.home.project, cleaning=run.recipe.cleaning, deduplication=run.recipe.deduplication
        )
        masking = run.recipe.cleaning.model_dump(include={"mask_personal_data", "personal_data"})
        suite = labelled_examples(**run.recipe.expectations.labelled_examples.model_dump(), **masking)
        table = label_table(labelled.facts["label_counts"])
        details = dict.fromkeys(("least_examples_per_label", "majority_share"), table)
        details["single_token_gain"] = labelled.facts["single_token"]
        gains = {name: value for name, value in labelled.facts.items() if name.endswith("_gain")}
        judged = gate(run, stage, suite, scan_labelled(out), out, gains, details)
        return Outcome(labelled.counts, labelled.facts | {"warnings": judged.num_warnings})

    return make(run, stage, {}, build)
