"""What `lmforge promote`, `approve`, `rollback` and `history` do; what a killed process had begun is finished first."""

from __future__ import annotations

import os
import time
from datetime import date, datetime, timedelta
from datetime import time as clock
from typing import Any

from lmforge.errors import InputError, RefusedError
from lmforge.home import Home
from lmforge.release.ledger import MAX_WHY_CHARS, Entry, Span, spans
from lmforge.release.notice import Notice
from lmforge.release.states import check_transition, state_of
from lmforge.services.asking import is_healthy
from lmforge.services.record import use_running_server
from lmforge.serving.self_test import answers_in_clean_process
from lmforge.wording import listed, shown
from tasks import registry, tracking
from tasks.approvals import Approval, give_approval, require_approval
from tasks.gate_verdicts import GATE_TAG, RUN_TAG, StoredVerdict, stored_verdict
from tasks.ledgers import check_ledger, read_ledger
from tasks.notifying import notify
from tasks.promotion import Change, SelfTest, files_hash, move_champion, recover, who


def promote_version(
    home: Home, model: str, dry_run: bool = False, self_test: SelfTest = answers_in_clean_process
) -> dict[str, Any]:
    """Promote NAME/VERSION, or the challenger of NAME, on the verdict that is stored with it.

    dry_run: change nothing, say what would be done. Raises InputError for a version that is not there and RefusedError
    when the evidence is missing or void, says no, or is about another champion.
    """
    name, version = _found(home, model, registry.CHALLENGER)
    if not dry_run:
        recover(home, name, self_test)
    champion = registry.aliases(home, name).get(registry.CHAMPION)
    document: dict[str, Any] = {"model": name, "version": version, "previous": champion, "dry_run": dry_run}
    if champion == version:
        return document | {"promoted": False, "summary": "it is in production already"}
    try:
        verdict = stored_verdict(home, name, version)
        approval = _require(home, verdict, champion)
    except RefusedError as error:
        if not dry_run:
            notify(home, Notice.of_answer("refused", name, version, champion, who=who(), why=str(error)))
        raise
    answer = verdict.short | {"rules": [rule.model_dump(mode="json") for rule in verdict.decision.rules]}
    if dry_run:
        return document | answer | {"promoted": False}
    agreed = f"approved by {approval.who}: {approval.why}; " if approval else ""
    change = verdict.change(f"{agreed}{verdict.decision.summary}"[:MAX_WHY_CHARS])
    entry = move_champion(home, change, self_test)
    return document | answer | {"promoted": True, "entry": entry.model_dump(mode="json")}


def approve_version(home: Home, model: str, reason: str) -> dict[str, Any]:
    """Agree to the verdict on NAME/VERSION, or on the challenger of NAME, so that `promote` may act on it.

    `flow_run` is the run that waited for this and goes on to promote; None where none waits, or no server answers.
    Raises InputError for a version that is not there or an empty reason, RefusedError when the evidence is void or says
    no.
    """
    name, version = _found(home, model, registry.CHALLENGER)
    verdict = stored_verdict(home, name, version)
    given = give_approval(home, verdict, who(), _reason(reason))
    return {
        "model": name, "version": version, "verdict": verdict.decision.verdict, "summary": verdict.decision.summary,
        "needed": verdict.decision.needs_approval, "hours": verdict.approval_hours, **given.model_dump(mode="json"),
        "flow_run": _resumed(home, given),
    }  # fmt: skip


def roll_back(
    home: Home, model: str, to: str | None, reason: str, self_test: SelfTest = answers_in_clean_process
) -> dict[str, Any]:
    """Put back a version that was in production: `to`, or the last one before this that was not rolled back.

    `seconds` is the time from the call until the version answered. Raises InputError for an unknown model or an empty
    reason, RefusedError for a version that was never in production.
    """
    begun = time.monotonic()
    why = _reason(reason)
    registry.require_model(home, model)
    recover(home, model, self_test)
    champion = registry.aliases(home, model).get(registry.CHAMPION)
    target = _target(home, model, champion, to)
    change = Change(model=model, version=target, kind="rollback", why=why)
    entry = move_champion(home, change, self_test)
    return {
        "model": model, "version": target, "previous": champion, "seconds": round(time.monotonic() - begun, 2),
        "changed": champion != target, "entry": entry.model_dump(mode="json"),
    }  # fmt: skip


def tell_history(home: Home, model: str, at: str | None = None, verify: bool = False) -> dict[str, Any]:
    """The ledger of a model with what is in production now, and at `at` (a date, all of it, or a moment; ISO 8601).

    `problems` is empty for a ledger that verifies, None where that was not asked for. Raises InputError for an unknown
    model or a time that is none.
    """
    registry.require_model(home, model)
    recover(home, model)
    chain = read_ledger(home, model)
    champion = registry.aliases(home, model).get(registry.CHAMPION)
    asked = None if at is None else [_row(span) for span in spans(chain) if _overlaps(span, *_moment(at))]
    return {
        "model": model,
        "champion": champion,
        "evidence_run": _evidence_run(home, model, champion, chain),
        "spans": [_row(span) for span in spans(chain)],
        "entries": [entry.model_dump(mode="json") for entry in chain],
        "at": at,
        "in_production": asked,
        "problems": check_ledger(home, model) if verify else None,
    }


def _resumed(home: Home, given: Approval) -> str | None:
    server = os.environ.get("PREFECT_API_URL") or use_running_server(home)
    if not server or not is_healthy(f"{server.rstrip('/')}/health"):
        return None  # and do not let Prefect start one
    from tasks.waiting import resume_waiting

    return resume_waiting(given)


def _evidence_run(home: Home, model: str, champion: str | None, chain: list[Entry]) -> str | None:
    """The MLflow run with the evidence that the champion was let in on; None after a rollback, which needs none."""
    if champion is None or not chain:
        return None
    tags: dict[str, str] = tracking.client(home).get_model_version(model, champion).tags
    last = chain[-1]
    # A version that was judged again since has other evidence now.
    same = last.to_version == champion and last.gate is not None and last.gate == tags.get(GATE_TAG)
    return tags.get(RUN_TAG) if same else None


def _reason(text: str) -> str:
    if not text.strip():
        raise InputError('--reason: empty; say why, for whoever reads the history: --reason "wrong labels since noon"')
    return text.strip()


def _found(home: Home, model: str, default: str) -> tuple[str, str]:
    registry.require_model(home, model.removeprefix(registry.SCHEME).split("@")[0].split("/")[0])
    version = registry.version_of(home, model, default)
    return str(version.name), str(version.version)


def _require(home: Home, verdict: StoredVerdict, champion: str | None) -> Approval | None:
    """The approval where one is needed; raises RefusedError unless the verdict allows a promotion now."""
    judged, decision = f"{verdict.model} version {verdict.version}", verdict.decision
    if not decision.promote:
        raise RefusedError(f"{judged} is not promoted: rule {decision.first_failure}: {decision.summary}")
    approval = require_approval(home, verdict) if decision.needs_approval else None
    tags: dict[str, str] = tracking.client(home).get_model_version(verdict.model, verdict.version).tags
    state = state_of(tags.get(registry.STATE_TAG))
    if state == "rolled_back":
        command = f'lmforge rollback {verdict.model} --to {verdict.version} --reason "..."'
        raise RefusedError(f"{judged} was rolled back; if that was a mistake: {command}")
    check_transition(verdict.version, state, "champion")
    if verdict.against != champion:
        against = f"version {verdict.against}" if verdict.against else "no champion"
        raise RefusedError(
            f"{judged} was judged against {against}, but version {champion} is in production: judge it again, "
            "lmforge run RECIPE"
        )
    if files_hash(home, verdict.model, verdict.version) != verdict.files:
        raise RefusedError(
            f"{judged}: its files are not those that the gate saw: register it again, lmforge run RECIPE"
        )
    return approval


def _target(home: Home, name: str, champion: str | None, to: str | None) -> str:
    """The version to go back to; only one that was in production has been allowed there by a gate."""
    chain = read_ledger(home, name)
    served = list(dict.fromkeys(entry.to_version for entry in reversed(chain) if entry.to_version))
    if to is not None:
        if to.isdecimal() and to in served:
            return to
        known = f"versions that were: {listed(served)}" if served else "no version was, by the ledger"
        raise RefusedError(f"{name} version {shown(to)} was never in production, so no gate let it in; {known}")
    states = {str(one.version): one.tags.get(registry.STATE_TAG) for one in registry.versions(home, name)}
    earlier = [one for one in served if one != champion and states.get(one) == "retired"]
    if not earlier:
        raise RefusedError(
            f"{name}: no version to go back to: none but {champion or 'none'} was in production without being rolled "
            "back; name one with --to VERSION (lmforge history NAME lists them)"
        )
    return earlier[0]


def _moment(text: str) -> tuple[datetime, datetime]:
    """First and last moment that is meant, in the time zone of this machine where none is given."""
    try:
        if len(text) == len("2026-03-01"):
            start = datetime.combine(date.fromisoformat(text), clock()).astimezone()
            return start, start + timedelta(days=1, microseconds=-1)
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError(f"--at {shown(text)}: no date; write 2026-03-01 or 2026-03-01T14:30") from error
    aware = moment if moment.tzinfo else moment.astimezone()
    return aware, aware


def _overlaps(span: Span, start: datetime, end: datetime) -> bool:
    return span.entry.time <= end and (span.until is None or span.until > start)


def _row(span: Span) -> dict[str, Any]:
    entry: Entry = span.entry
    until = span.until.isoformat() if span.until else None
    return {"version": entry.to_version, "since": entry.time.isoformat(), "until": until, "number": entry.number}
