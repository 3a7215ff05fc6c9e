"""Stage `collect`: every source into one schema, broken records set aside."""

from __future__ import annotations

from pathlib import Path

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.store import Outcome
from tasks.context import Run
from tasks.stage import make, stage_task


@stage_task
def collect_corpus(run: Run) -> State[Artifact]:
    """The raw corpus: Parquet shards of id, text, source and line, and the quarantine."""

    def build(out: Path) -> Outcome:
        from expectations.raw_corpus import raw_corpus
        from lmforge.sources.collecting import collect
        from lmforge.text.records import scan
        from tasks.gating import gate

        counts = collect(run.corpus.sources, out, root=run.home.project)
        suite = raw_corpus(**run.recipe.expectations.raw_corpus.model_dump())
        gate(run, "collect", suite, scan(out), out, {"read": counts.read, "quarantined": counts.quarantined})
        return Outcome(counts)

    return make(run, "collect", {}, build)
