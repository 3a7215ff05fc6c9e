"""Ask a person about a version through a paused flow run, and do what they answer.

The server has no accounts: `who` is what they typed. The ledger names them in its reason, and as its own `who` the
account that carried it out.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, NamedTuple

from prefect import task as prefect_task
from prefect.cache_policies import NO_CACHE
from prefect.input import RunInput
from pydantic import BaseModel, ConfigDict, Field

from lmforge.errors import RefusedError
from lmforge.home import Home
from lmforge.reporting.approval import approval_question
from lmforge.services.record import mlflow_address
from tasks import tracking
from tasks.approvals import Approval, give_approval, reject, require_approval
from tasks.gate_pages import PAGE
from tasks.gate_verdicts import RUN_TAG, StoredVerdict, stored_verdict
from tasks.releasing import promote_version

logger = logging.getLogger("lmforge.approval")

_Words = Annotated[str, Field(min_length=1, pattern=r"\S")]


class Answer(RunInput):
    """The form of a paused run. No field has a default, so that nobody agrees, or refuses, by pressing enter."""

    answer: Literal["approve", "reject"] = Field(description="approve: promote it now. reject: it stays out for good.")
    reason: _Words = Field(description="Why, for whoever reads the history.", max_length=500)
    who: _Words = Field(description="Your name, for the ledger.", max_length=100)


class Question(BaseModel):
    """What is asked about which evaluation; `given` is the answer that the registry has already."""

    model_config = ConfigDict(frozen=True)

    model: str
    version: str
    gate: str
    text: str
    wait_seconds: int
    given: Answer | None

    @property
    def form(self) -> type[Answer]:
        """The fields of the answer below the text."""
        return Answer.with_initial_data(description=self.text)


class Outcome(NamedTuple):
    """What the answer led to, as the name and the message of the run's last state."""

    name: Literal["Promoted", "Rejected"]
    message: str


@prefect_task(name="ask-person", cache_policy=NO_CACHE, retries=2, retry_delay_seconds=2)
def ask_person(model: str, version: str, gate: str) -> Question:
    """The question about a version. Raises RefusedError when it has been judged again, as that is another question."""
    home = Home.find().prepare()
    verdict = _verdict(home, model, version, gate)
    wait = timedelta(hours=verdict.approval_hours)
    until = (datetime.now(UTC) + wait).astimezone()
    text = approval_question(
        f"{model}/{version}", verdict.decision, gate, against=verdict.against, page=_page(home, verdict), until=until
    )
    given = _given(home, verdict)
    logger.info("%s is approved already" if given else "%s waits for an answer", f"{model}/{version}")
    return Question(
        model=model, version=version, gate=gate, text=text, wait_seconds=max(1, int(wait.total_seconds())), given=given
    )


@prefect_task(name="act-on-answer", cache_policy=NO_CACHE)
def act_on_answer(question: Question, answer: Answer) -> Outcome:
    """Promote the version, or reject it.

    Raises RefusedError when the verdict, the champion or the files are no longer those that were asked about.
    """
    home, name = Home.find().prepare(), f"{question.model}/{question.version}"
    verdict = _verdict(home, question.model, question.version, question.gate)
    if answer.answer == "reject":
        reject(home, verdict, answer.who, answer.reason)
        return Outcome("Rejected", f"{name} was rejected by {answer.who}: {answer.reason}")
    if question.given is None:
        give_approval(home, verdict, answer.who, answer.reason)
    document = promote_version(home, name)
    said = "is in production" if document["promoted"] else "was in production already"
    return Outcome("Promoted", f"{name} {said}; approved by {answer.who}: {answer.reason}")


def _verdict(home: Home, model: str, version: str, gate: str) -> StoredVerdict:
    verdict = stored_verdict(home, model, version)
    if verdict.gate != gate:
        raise RefusedError(
            f"{model} version {version}: the question was about the gate {gate[:16]}, but it was judged again since, "
            f"gate {verdict.gate[:16]}; answer the run that asks about that, or: lmforge approve {model}/{version} "
            '--reason "..."'
        )
    return verdict


def _given(home: Home, verdict: StoredVerdict) -> Answer | None:
    try:
        approval: Approval = require_approval(home, verdict)
    except RefusedError:
        return None
    return Answer(answer="approve", reason=approval.why[:500], who=approval.who[:100])


def _page(home: Home, verdict: StoredVerdict) -> str:
    tracker = tracking.client(home)
    run_id: str = tracker.get_model_version(verdict.model, verdict.version).tags[RUN_TAG]
    address, _ = mlflow_address(home)
    experiment = tracker.get_run(run_id).info.experiment_id
    return f"{address}/#/experiments/{experiment}/runs/{run_id}/artifacts/{PAGE}"
