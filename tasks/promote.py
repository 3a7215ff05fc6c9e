"""Promote a registered version to `champion` when the evidence allows it, and say why either way."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from prefect import task as prefect_task
from prefect.cache_policies import NO_CACHE

from lmforge.artifacts import Artifact
from lmforge.recipe.schema import Task
from lmforge.release.decision import Decision, Floors, decide
from tasks import registry, tracking
from tasks.context import Run
from tasks.evaluate import read_metrics
from tasks.register import Registered

DECISION_TAG, AGAINST_TAG = "lmforge.decision", "lmforge.judged_against"


@prefect_task(name="promote-model", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=2)
def promote_model(
    run: Run, task: Task, registered: Registered, labelled: Artifact, evidence: Artifact
) -> dict[str, Any]:
    """The decision on a version: the first that passes the floors becomes champion, a later one only if it is better.

    The champion answers the same frozen test set again in this run. A version that was judged against the champion of
    today keeps its decision.
    """
    name, version = registered.name, registered.version
    champion = registry.aliases(run.home, name).get(registry.CHAMPION)
    tags = tracking.client(run.home).get_model_version(name, version).tags
    if DECISION_TAG in tags and (champion == version or tags.get(AGAINST_TAG) == champion):
        return {"champion": champion, "decided_earlier": True, **json.loads(tags[DECISION_TAG])}
    with tracking.nested_run(run, f"promote-{task.name}", "promote") as child:
        decision = _judge(run, task, name, champion, labelled, evidence)
        short = {"verdict": decision.verdict, "promoted": decision.promote, "summary": decision.summary}
        _log(run, child, decision)
    if decision.promote:
        registry.set_alias(run.home, name, registry.CHAMPION, version)
        if champion:
            registry.tag_version(run.home, name, champion, {"lmforge.state": "retired"})
    state = "champion" if decision.promote else "rejected"
    against = {AGAINST_TAG: champion} if champion else {}
    registry.tag_version(run.home, name, version, {DECISION_TAG: json.dumps(short), "lmforge.state": state, **against})
    return {"champion": version if decision.promote else champion, "decided_earlier": False, **short}


def _judge(run: Run, task: Task, name: str, champion: str | None, labelled: Artifact, evidence: Artifact) -> Decision:
    from lmforge.evaluation.comparison import compare_on_test_set

    systems = read_metrics(evidence)["systems"]
    release, comparison = run.recipe.release, None
    if champion:
        directory = registry.model_directory(run.home, f"models:/{name}/{champion}")
        with tempfile.TemporaryDirectory(dir=run.directory) as scratch:
            comparison = compare_on_test_set(
                evidence.path / "model", directory, labelled.path, Path(scratch), metric=task.metric,
                resamples=release.resamples, alpha=release.alpha, seed=run.recipe.seed,
            )  # fmt: skip
    digest = labelled.manifest.facts["test_digest"]
    return decide(
        value=systems["model"][task.metric]["value"],
        floors=Floors(minimum=task.minimum, baselines={"majority": systems["majority"][task.metric]["value"]}),
        minimum_gain=release.minimum_gain,
        test_digest=digest,
        champion_test_digest=digest if champion else None,
        comparison=comparison,
    )


def _log(run: Run, child: str, decision: Decision) -> None:
    tracker = tracking.client(run.home)
    tracker.log_dict(child, decision.model_dump(mode="json"), "gate.json")
    tracker.set_tag(child, "lmforge.verdict", decision.verdict)
    tracker.set_tag(run.run_id, "lmforge.verdict", decision.verdict)
    if decision.comparison:
        gain = decision.comparison
        values = {"gate/gain": gain.gain, "gate/gain_lower_bound": gain.lower_bound, "gate/p_value": gain.p_value}
        tracking.log_metrics(run.home, child, [values])
