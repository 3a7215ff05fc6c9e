"""The flow runs that wait for a person: the pipeline starts one for each version, `lmforge approve` lets it go on.

A run that waits holds no process and no slot of its deployment. It is found by the hash of the gate that it asks about,
which is the key of its pause.
"""

from __future__ import annotations

import logging
import os
from typing import Any

import httpx
from prefect import task as prefect_task
from prefect.cache_policies import NO_CACHE
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowFilter, FlowRunFilter
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.responses import SetStateStatus
from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound, PrefectException
from prefect.runtime import deployment
from prefect.utilities.urls import url_for

from lmforge.reporting.approval import approval_commands
from tasks.approvals import Approval
from tasks.register import Registered

logger = logging.getLogger("lmforge.approval")

DEPLOYMENT = "approval/person"


@prefect_task(name="ask-for-approval", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=2)
def ask_for_approval(registered: Registered, decision: dict[str, Any]) -> dict[str, Any]:
    """The decision, with how to go on in `next` where it needs a person; a deployed run also starts one that waits.

    Asked once about each evaluation: whoever does not answer in time has been asked. A run in a terminal may have no
    server and no worker behind it, so it only says the commands.
    """
    if not decision["needs_approval"]:
        return decision
    name = f"{registered.name}/{registered.version}"
    following = f"needs a person: {approval_commands(name)}"
    if deployment.id is not None and (waiting := _start(registered, decision["gate"])) is not None:
        state = waiting.state_name or "scheduled"
        following = f"{following}, or answer the flow run {waiting.name} ({state.lower()}): {_address(waiting)}"
    logger.info("%s %s", name, following)
    return decision | {"next": following}


def resume_waiting(approval: Approval) -> str | None:
    """Let the run that waits for an answer about this gate go on; its name and address, None where none waits.

    `PREFECT_API_URL` names the server. One that does not answer is a warning: the approval holds all the same.
    """
    answer = {"answer": "approve", "reason": approval.why[:500], "who": approval.who[:100]}
    chosen = FlowRunFilter.model_validate({"state": {"type": {"any_": [StateType.PAUSED]}}})
    flows = FlowFilter.model_validate({"name": {"any_": [DEPLOYMENT.split("/")[0]]}})
    try:
        with get_client(sync_client=True) as client:
            for run in client.read_flow_runs(flow_filter=flows, flow_run_filter=chosen):
                if run.state and run.state.state_details.pause_key == approval.gate:
                    told = client.resume_flow_run(run.id, run_input=answer)
                    return f"{run.name} ({_address(run)})" if told.status == SetStateStatus.ACCEPT else None
    except (httpx.HTTPError, PrefectException) as error:
        address = os.environ.get("PREFECT_API_URL", "").split("@")[-1]
        logger.warning("the Prefect server %s was not told: %s", address, type(error).__name__)
    return None


def _start(registered: Registered, gate: str) -> FlowRun | None:
    asked = {"model": registered.name, "version": registered.version, "gate": gate}
    try:
        # A run below this one could not be paused: the server refuses that for subflows.
        run = run_deployment(
            DEPLOYMENT, parameters=asked, flow_run_name=f"{registered.name}/{registered.version}", timeout=0,
            as_subflow=False, idempotency_key=gate,
        )  # fmt: skip
        assert isinstance(run, FlowRun), "called outside of an event loop"
        return run
    except ObjectNotFound:
        logger.warning("prefect.yaml deploys no %s, so nobody is asked in the Prefect UI", DEPLOYMENT)
        return None


def _address(run: FlowRun) -> str:
    return url_for("flow-run", obj_id=run.id) or str(run.id)
