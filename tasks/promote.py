"""Promote a registered version to `champion` when the evidence allows it, and say why either way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from prefect import task as prefect_task
from prefect.cache_policies import NO_CACHE

from lmforge.artifacts import Artifact
from lmforge.errors import RefusedError
from lmforge.recipe.schema import BASE, Task
from lmforge.release.ledger import MAX_WHY_CHARS
from lmforge.release.notice import Notice
from lmforge.release.states import State
from tasks import registry, tracking
from tasks.context import Run
from tasks.gate_verdicts import REFUSED_TAG, StoredVerdict, store_verdict, stored_verdict
from tasks.judging import gather_evidence
from tasks.judging_language import gather_language_evidence
from tasks.notifying import notify
from tasks.promotion import move_champion, recover, who
from tasks.register import Registered

if TYPE_CHECKING:
    from lmforge.release.evidence import Evidence


@prefect_task(name="promote-model", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=2)
def promote_model(
    run: Run, task: Task, registered: Registered, labelled: Artifact, evidence: Artifact
) -> dict[str, Any]:
    """The decision on a version: the first that passes the floors becomes champion, a later one only if it is better.

    The champion answers the same frozen test set again in this run. A version that was judged against the champion of
    today keeps its decision, and one that was rolled back is not promoted again.
    """
    name, version = registered.name, registered.version

    def gather(rival: str | None) -> Evidence:
        return gather_evidence(run, task, name, version, rival, labelled, evidence)

    return _decide(run, f"promote-{task.name}", registered, gather)


@prefect_task(name="promote-base", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=2)
def promote_base(run: Run, registered: Registered, made: dict[str, Artifact]) -> dict[str, Any]:
    """The decision on a version of a base model, as on one of a task model; the champion reads the same documents.

    made: by stage name. A version that no number compares with the champion is refused, and the summary says why.
    """
    name, version = registered.name, registered.version

    def gather(rival: str | None) -> Evidence:
        return gather_language_evidence(run, name, version, rival, made)

    return _decide(run, f"promote-{BASE}", registered, gather)


def _decide(run: Run, label: str, registered: Registered, gather: Callable[[str | None], Evidence]) -> dict[str, Any]:
    """gather: the evidence against a champion, None for the first version."""
    name, version = registered.name, registered.version
    recover(run.home, name)
    champion = registry.aliases(run.home, name).get(registry.CHAMPION)
    state = tracking.client(run.home).get_model_version(name, version).tags.get(registry.STATE_TAG)
    verdict = _earlier(run, name, version, champion)
    decided_earlier = verdict is not None
    if verdict is None:
        # The champion is not its own rival: its evidence is made as that of a first version.
        rival = None if champion == version else champion
        with tracking.nested_run(run, label, "promote") as child:
            try:
                found = gather(rival)
            except RefusedError as error:
                return _refuse(run, child, registered, champion, state, str(error))
            verdict = store_verdict(run.home, child, found)
            _keep(run, child, verdict, state)
        _tell(run, verdict, champion)
    promoted = verdict.decision.promote and not verdict.decision.needs_approval and state != "rolled_back"
    if promoted and champion != version:
        why = f"{verdict.decision.summary} (run {run.run_id})"[:MAX_WHY_CHARS]
        move_champion(run.home, verdict.change(why))
    return {
        "champion": version if promoted else champion,
        "decided_earlier": decided_earlier,
        **verdict.short,
        "promoted": promoted,
        "needs_approval": _waits(run, verdict) and champion != version,
    }


def _earlier(run: Run, name: str, version: str, champion: str | None) -> StoredVerdict | None:
    """The verdict that still holds: on the champion itself, or against the champion of today."""
    try:
        verdict = stored_verdict(run.home, name, version)
    except RefusedError:
        return None
    return verdict if champion == version or verdict.against == champion else None


def _waits(run: Run, verdict: StoredVerdict) -> bool:
    """Whether a person has to agree and has not yet: one that was approved, rejected or rolled back had its answer."""
    tags = tracking.client(run.home).get_model_version(verdict.model, verdict.version).tags
    return verdict.decision.needs_approval and tags.get(registry.STATE_TAG) == "challenger"


def _tell(run: Run, verdict: StoredVerdict, champion: str | None) -> None:
    """A verdict that promotes nothing by itself is news; a promotion tells of itself."""
    decision = verdict.decision
    if decision.promote and not decision.needs_approval:
        return
    notify(
        run.home,
        Notice.of_answer(
            "approval_needed" if decision.promote else "refused", verdict.model, verdict.version, champion,
            who=who(), why=decision.summary, gate=verdict.gate,
        ),
    )  # fmt: skip


def _refuse(
    run: Run, child: str, registered: Registered, champion: str | None, state: str | None, why: str
) -> dict[str, Any]:
    """The decision on a version that cannot be compared; told once, not in every run that meets it again."""
    name, version, home = registered.name, registered.version, run.home
    tags: dict[str, str] = tracking.client(home).get_model_version(name, version).tags
    if state not in ("champion", "rolled_back"):
        registry.move_state(home, name, version, "evaluated", "rejected")
    if tags.get(REFUSED_TAG) != why:
        registry.tag_version(home, name, version, {REFUSED_TAG: why})
        notify(home, Notice.of_answer("refused", name, version, champion, who=who(), why=why))
    for run_id in (child, run.run_id):
        tracking.client(home).set_tag(run_id, "lmforge.verdict", "refused")
    return {
        "champion": champion, "decided_earlier": False, "verdict": "refused", "promoted": False, "summary": why,
        "gate": None, "needs_approval": False,
    }  # fmt: skip


def _keep(run: Run, child: str, verdict: StoredVerdict, state: str | None) -> None:
    """Show the decision where people look, and set the state that follows from it."""
    decision, home = verdict.decision, run.home
    if state not in ("champion", "rolled_back"):
        follows: State = "challenger" if decision.promote else "rejected"
        registry.move_state(home, verdict.model, verdict.version, "evaluated", follows)
    for run_id in (child, run.run_id):
        tracking.client(home).set_tag(run_id, "lmforge.verdict", decision.verdict)
    if decision.comparison:
        gain = decision.comparison
        values = {"gate/gain": gain.gain, "gate/gain_lower_bound": gain.lower_bound, "gate/p_value": gain.p_value}
        tracking.log_metrics(home, child, [values])
