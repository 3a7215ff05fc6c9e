"""Stage `clean`: repair, filter, de-duplicate, and keep the evaluation sets out of the training text."""

from __future__ import annotations

from pathlib import Path

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome
from tasks.context import Run
from tasks.sharding import sharded
from tasks.stage import make, stage_task

# What cleaning was told to do is what its suite checks.
LIMITS = {"languages", "min_words", "max_words", "mask_personal_data", "personal_data"}


@stage_task
def clean_corpus(run: Run, raw: Artifact, labelled: dict[str, Artifact]) -> State[Artifact]:
    """The clean corpus in two splits, the quarantine, and why each document is in it.

    labelled: labelled examples by task name; their test and validation texts are removed from the corpus.
    """

    def build(out: Path) -> Outcome:
        from expectations.clean_corpus import clean_corpus as suite_of
        from lmforge.text.cleaning import clean
        from lmforge.text.guarding import evaluation_sets
        from lmforge.text.records import scan
        from tasks.gating import gate

        sets = evaluation_sets(labelled, run.corpus.decontamination, run.home.project)
        with sharded(run) as workshop:
            counts, facts = clean(raw.path, out, run.corpus, sets, workshop)
        promises = run.recipe.expectations.clean_corpus.model_dump()
        limits = run.corpus.cleaning.model_dump(include=LIMITS)
        judged = gate(run, "clean", suite_of(**promises, **limits), scan(out), out, {"num_raw_documents": counts.read})
        return Outcome(counts, facts | {"warnings": judged.num_warnings})

    return make(run, "clean", {"collect": raw} | {f"label-{name}": one for name, one in labelled.items()}, build)
