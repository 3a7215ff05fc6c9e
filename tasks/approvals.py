"""A person's agreement to a promotion, as a tag of the version: bound to the hash of the gate's answer, and it expires.

It allows what the gate already allows; it never replaces a rule. Another evaluation has another hash, so it needs
another approval.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from pydantic import AwareDatetime, ValidationError

from lmforge.artifacts.artifact import Frozen
from lmforge.errors import RefusedError
from lmforge.home import Home
from lmforge.release.notice import Notice
from tasks import registry, tracking
from tasks.gate_verdicts import StoredVerdict
from tasks.notifying import notify

_TAG = "lmforge.approval"
_REJECTED_TAG = "lmforge.rejected_by"
_CLOCKS_DIFFER = timedelta(minutes=5)


class Approval(Frozen):
    """Who agreed to what, when and why; `gate` is the hash of the answer that was agreed to."""

    gate: str
    who: str
    why: str
    time: AwareDatetime


def give_approval(home: Home, verdict: StoredVerdict, who: str, why: str, now: datetime | None = None) -> Approval:
    """Write the approval of a verdict, and that the version is approved.

    Raises RefusedError when a rule failed, as nobody can agree to that, and TransitionError when it is no candidate.
    """
    if not verdict.decision.promote:
        failed = verdict.decision.first_failure
        raise RefusedError(f"{verdict.model} version {verdict.version} cannot be approved: rule {failed} failed")
    approval = Approval(gate=verdict.gate, who=who, why=why, time=now or datetime.now(UTC))
    registry.move_state(home, verdict.model, verdict.version, "approved")
    registry.tag_version(home, verdict.model, verdict.version, {_TAG: approval.model_dump_json()})
    return approval


def reject(home: Home, verdict: StoredVerdict, who: str, why: str, now: datetime | None = None) -> None:
    """Write that a person said no, and tell others; only another evaluation can bring the version back.

    Raises TransitionError for a version that is in production or was.
    """
    answer = Approval(gate=verdict.gate, who=who, why=why, time=now or datetime.now(UTC))
    registry.move_state(home, verdict.model, verdict.version, "rejected")
    registry.tag_version(home, verdict.model, verdict.version, {_REJECTED_TAG: answer.model_dump_json()})
    champion, said = registry.aliases(home, verdict.model).get(registry.CHAMPION), f"rejected by {who}: {why}"
    notify(
        home,
        Notice.of_answer("refused", verdict.model, verdict.version, champion, who=who, why=said, gate=verdict.gate),
    )


def require_approval(home: Home, verdict: StoredVerdict, now: datetime | None = None) -> Approval:
    """The approval that holds for this verdict; raises RefusedError, with the command that gives one, if none does."""
    text = tracking.client(home).get_model_version(verdict.model, verdict.version).tags.get(_TAG)
    command = f'lmforge approve {verdict.model}/{verdict.version} --reason "..."'
    judged = f"{verdict.model} version {verdict.version} ({verdict.decision.verdict})"
    if text is None:
        raise RefusedError(f"{judged} needs the approval of a person: {command}")
    try:
        approval = Approval.model_validate_json(text)
    except ValidationError as error:
        raise RefusedError(f"{judged}: the tag {_TAG} is no approval; give it again: {command}") from error
    if approval.gate != verdict.gate:
        raise RefusedError(f"{judged}: {approval.who} approved another evaluation of it; look at this one: {command}")
    age = (now or datetime.now(UTC)) - approval.time
    if age < -_CLOCKS_DIFFER:
        raise RefusedError(f"{judged}: the approval is of {approval.time}, which is to come; give it again: {command}")
    if age > timedelta(hours=verdict.approval_hours):
        raise RefusedError(
            f"{judged}: the approval is older than {verdict.approval_hours:g} hours; give it again: {command}"
        )
    return approval
