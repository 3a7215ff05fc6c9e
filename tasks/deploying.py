"""Create on a Prefect server what our deployments rely on: their work pool, and automations that end dead runs.

A program of its own, `python -m tasks.deploying`; what already exists is left as it is, its settings may be tuned.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from prefect.automations import AutomationCore, EventTrigger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate, WorkPoolUpdate
from prefect.client.schemas.objects import StateType
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.automations import Posture
from prefect.events.schemas.events import ResourceSpecification
from prefect.exceptions import ObjectAlreadyExists
from prefect.workers.process import ProcessWorker

from lmforge.services.clients import WORK_POOL

ZOMBIES = "lmforge: crash runs without a heartbeat"
# Runs send a heartbeat every 30 s, the least that Prefect allows: two may be missed.
SILENCE_SECONDS = 75
EXPIRED = "lmforge: say how to go on after an unanswered approval"
# What the server says of a paused run whose time is over.
_NEVER_RESUMED = "The flow was paused and never resumed."
_UNANSWERED = (
    "Nobody answered in time: nothing was promoted, and the version that this run is named after is still a "
    'challenger. Go on with lmforge approve NAME/VERSION --reason "...", then lmforge promote NAME/VERSION'
)
_SILENT = f"no heartbeat for {SILENCE_SECONDS} s"


def create_work_pool(client: SyncPrefectClient) -> None:
    """The pool of runs that are processes of this machine, one at a time: two trainings would share its cores.

    The limit is the pool's and not the worker's: a worker with one dies of a run that is resumed before the process
    that paused has gone.
    """
    template = ProcessWorker.get_default_base_job_template()
    pool = WorkPoolCreate(name=WORK_POOL, type="process", base_job_template=template, concurrency_limit=1)
    try:
        client.create_work_pool(pool)
    except ObjectAlreadyExists:
        if client.read_work_pool(WORK_POOL).concurrency_limit is None:  # that of an earlier release
            client.update_work_pool(WORK_POOL, WorkPoolUpdate(concurrency_limit=1))


def create_automations(client: SyncPrefectClient) -> None:
    """Crash runs that fell silent, and explain those that waited for a person in vain.

    Killed with its worker, a run would be `Running`, and block its slot, for ever.
    """
    for automation in (_zombies(), _expired()):
        found = client.read_automations_by_name(automation.name)
        if not found:
            client.create_automation(automation)
        elif not _events(automation) <= _events(found[0]):
            # One of an earlier release would crash the runs that wait for a person.
            client.update_automation(found[0].id, automation)


def _zombies() -> AutomationCore:
    alive = ("heartbeat", "Completed", "Failed", "Cancelled", "Crashed", "Suspended", "Paused")
    trigger = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={f"prefect.flow-run.{event}" for event in alive},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=SILENCE_SECONDS),
    )
    return AutomationCore(name=ZOMBIES, trigger=trigger, actions=[_ending(StateType.CRASHED, _SILENT)])


def _expired() -> AutomationCore:
    trigger = EventTrigger(
        expect={"prefect.flow-run.Failed"},
        match=ResourceSpecification(
            {"prefect.resource.id": ["prefect.flow-run.*"], "prefect.state-message": [_NEVER_RESUMED]}
        ),
        for_each={"prefect.resource.id"},
        posture=Posture.Reactive,
        threshold=1,
        within=timedelta(0),
    )
    return AutomationCore(
        name=EXPIRED, trigger=trigger, actions=[_ending(StateType.FAILED, _UNANSWERED, name="Expired", force=True)]
    )


def _ending(state: StateType, message: str, name: str | None = None, force: bool = False) -> ChangeFlowRunState:
    return ChangeFlowRunState(name=name, state=state, message=message, force=force)


def _events(automation: AutomationCore) -> set[str]:
    trigger: Any = automation.trigger
    return set(getattr(trigger, "expect", ()))


def main() -> None:
    """Create them on the server at `PREFECT_API_URL`."""
    with get_client(sync_client=True) as client:
        create_work_pool(client)
        create_automations(client)


if __name__ == "__main__":
    main()
