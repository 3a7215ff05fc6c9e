"""Stage `tokenize`: a tokenizer learned from the clean corpus, and memory-mapped token blocks."""

from __future__ import annotations

from pathlib import Path

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome
from tasks.context import Run
from tasks.sharding import sharded
from tasks.stage import make, stage_task


@stage_task
def tokenize_corpus(run: Run, clean: Artifact) -> State[Artifact]:
    """The tokenizer, learned or that of the model that is started from, and the blocks of both splits."""

    def build(out: Path) -> Outcome:
        from expectations.tokenized_corpus import tokenized_corpus
        from lmforge.tokenization.corpus import tokenize
        from tasks.gating import gate

        length, objectives = run.recipe.pretraining.max_seq_length, run.recipe.pretraining.objectives
        with sharded(run) as workshop:
            start = run.start.directory if run.start else None
            counts, facts = tokenize(clean.path, out, run.recipe.tokenizer, length, workshop, start, objectives)
        thresholds = run.recipe.expectations.tokenized_corpus.model_dump()
        if run.start:
            # How much of a vocabulary that was learned elsewhere occurs here is nobody's promise.
            thresholds["warn"] = (*thresholds["warn"], "min_vocabulary_used")
        suite = tokenized_corpus(**thresholds)
        numbers = {name: value for name, value in facts.items() if isinstance(value, int | float)}
        judged = gate(run, "tokenize", suite, None, out, numbers)
        return Outcome(counts, facts | {"warnings": judged.num_warnings})

    return make(run, "tokenize", {"clean": clean}, build)
