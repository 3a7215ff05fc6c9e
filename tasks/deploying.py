"""Create on a Prefect server what our deployments rely on: their work pool and the automation that ends zombies.

A program of its own, `python -m tasks.deploying`; what already exists is left as it is, its settings may be tuned.
"""

from __future__ import annotations

from datetime import timedelta

from prefect.automations import AutomationCore, EventTrigger
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.actions import WorkPoolCreate
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


def create_work_pool(client: SyncPrefectClient) -> None:
    """The pool of runs that are processes of this machine."""
    template = ProcessWorker.get_default_base_job_template()
    try:
        client.create_work_pool(WorkPoolCreate(name=WORK_POOL, type="process", base_job_template=template))
    except ObjectAlreadyExists:
        return


def create_automation(client: SyncPrefectClient) -> None:
    """Crash runs that fell silent: killed with its worker, a run would be `Running`, and block its slot, for ever."""
    if client.read_automations_by_name(ZOMBIES):
        return
    trigger = EventTrigger(
        after={"prefect.flow-run.heartbeat"},
        expect={f"prefect.flow-run.{event}" for event in ("heartbeat", "Completed", "Failed", "Cancelled", "Crashed")},
        match=ResourceSpecification({"prefect.resource.id": ["prefect.flow-run.*"]}),
        for_each={"prefect.resource.id"},
        posture=Posture.Proactive,
        threshold=1,
        within=timedelta(seconds=SILENCE_SECONDS),
    )
    action = ChangeFlowRunState(
        name=None, state=StateType.CRASHED, message=f"no heartbeat for {SILENCE_SECONDS} s", force=False
    )
    client.create_automation(AutomationCore(name=ZOMBIES, trigger=trigger, actions=[action]))


def main() -> None:
    """Create both on the server at `PREFECT_API_URL`."""
    with get_client(sync_client=True) as client:
        create_work_pool(client)
        create_automation(client)


if __name__ == "__main__":
    main()
