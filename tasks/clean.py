"""Stage `clean`: repair, filter, de-duplicate, and keep the evaluation sets out of the training text."""

from __future__ import annotations

from pathlib import Path

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome
from tasks.context import Run
from tasks.stage import make, stage_task


@stage_task
def clean_corpus(run: Run, raw: Artifact, labelled: dict[str, Artifact]) -> State[Artifact]:
    """The clean corpus in two splits, the quarantine, and why each document is in it.

    labelled: labelled examples by task name; their test and validation texts are removed from the corpus.
    """

    def build(out: Path) -> Outcome:
        from expectations.clean_corpus import clean_corpus as suite_of
        from lmforge.text.cleaning import clean
        from lmforge.text.labelling import evaluation_guard
        from lmforge.text.records import scan
        from tasks.gating import gate

        guards = [evaluation_guard(examples.path) for examples in labelled.values()]
        counts = clean(
            raw.path, out, cleaning=run.corpus.cleaning, deduplication=run.corpus.deduplication,
            evaluation_keys=frozenset().union(*(keys for keys, _ in guards)),
            evaluation_ids=frozenset().union(*(ids for _, ids in guards)),
            validation_share=run.corpus.validation_share,
        )  # fmt: skip
        promises = run.recipe.expectations.clean_corpus.model_dump()
        limits = run.corpus.cleaning.model_dump(include={"languages", "min_words", "max_words"})
        gate(run, "clean", suite_of(**promises, **limits), scan(out), out, {"num_raw_documents": counts.read})
        return Outcome(counts)

    return make(run, "clean", {"collect": raw} | {f"label-{name}": one for name, one in labelled.items()}, build)
