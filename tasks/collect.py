"""Stage `collect`: every source into one schema, broken records set aside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State

from lmforge.artifacts import Artifact
from lmforge.artifacts.snapshots import Snapshots
from lmforge.artifacts.store import Outcome
from tasks.context import Run
from tasks.sharding import sharded
from tasks.stage import make, stage_task

# A feed of many files must not make a manifest of many megabytes; the numbers are always whole.
_MAX_NAMES = 100


@stage_task
def collect_corpus(run: Run) -> State[Artifact]:
    """The raw corpus: Parquet shards of text with its provenance, what each file gave, and the quarantine."""

    def build(out: Path) -> Outcome:
        from expectations.raw_corpus import raw_corpus
        from lmforge.sources.collecting import collect
        from lmforge.text.records import scan
        from tasks.gating import gate

        with sharded(run) as workshop:
            counts, facts = collect(run.corpus.sources, out, root=run.home.project, workshop=workshop)
        changed = _changes(run, out)
        suite = raw_corpus(**run.recipe.expectations.raw_corpus.model_dump())
        judged = gate(run, "collect", suite, scan(out), out, {"read": counts.read, "quarantined": counts.quarantined})
        return Outcome(counts, facts | changed | {"warnings": judged.num_warnings})

    for source in run.corpus.sources:
        source.prepare(run.home.project)
    return make(run, "collect", {}, build)


def _changes(run: Run, out: Path) -> dict[str, Any]:
    """Which files arrived, vanished and changed since the last accepted collection; nothing for the first one."""
    from lmforge.sources.collecting import FILES, changes

    # The store builds in a directory that is named by the key.
    last = Snapshots(run.home.snapshots).last(run.recipe.name, "collect", other_than=out.name)
    earlier = run.home.store / "collect" / last["key"] / FILES if last else None
    if last is None or earlier is None or not earlier.is_file():
        return {}
    now, then = (json.loads(path.read_text(encoding="utf-8")) for path in (out / FILES, earlier))
    found = changes(now, then)
    numbers = {f"num_{how}": len(names) for how, names in found.items()}
    return {"changes": {"since": last["key"], **numbers, **{how: names[:_MAX_NAMES] for how, names in found.items()}}}
