"""A person's answer to a verdict that needs one, and the promotion that follows from a yes.

A run of its own: while it waits no process runs, the next night is not held up, and nothing is computed again that the
answer was about.
"""

from __future__ import annotations

from prefect import State, flow
from prefect.flow_runs import suspend_flow_run
from prefect.states import Completed

from tasks.answering import act_on_answer, ask_person


@flow(name="approval", flow_run_name="{model}/{version}", persist_result=False)
def approval(model: str, version: str, gate: str) -> State[str]:
    """Ask a person whether a version shall be put into production, wait for the answer, and act on it.

    model, version: a version in the registry. gate: hash of the gate's answer that is asked about. The run is paused
    until it is answered here or by `lmforge approve`; it then starts again from the top, and this time has the answer.
    """
    question = ask_person(model, version, gate)
    answer = question.given or suspend_flow_run(question.form, timeout=question.wait_seconds, key=gate)
    outcome = act_on_answer(question, answer)
    return Completed(name=outcome.name, message=outcome.message)
