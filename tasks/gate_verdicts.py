"""The gate's answer on a version: a bundle of evidence in the run that judged it, bound to the version by its hash.

The tags are what a person sees and what a bundle is found by; the bundle is what counts. `stored_verdict` derives the
answer again from it, and refuses one that is not there, was changed, or is about something else.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from lmforge.errors import IntegrityError, RefusedError
from lmforge.home import Home
from lmforge.release.decision import Decision
from tasks import registry, tracking
from tasks.gate_pages import describe_version, log_page
from tasks.promotion import Change
from tasks.reaching import is_outage

if TYPE_CHECKING:
    from lmforge.release.evidence import Evidence

PLACE = "evidence"
DECISION_TAG, AGAINST_TAG, GATE_TAG, RUN_TAG = (
    "lmforge.decision", "lmforge.judged_against", "lmforge.gate", "lmforge.gate_run"
)  # fmt: skip

# Why there is no verdict on a version: no number compares it with the champion.
REFUSED_TAG = "lmforge.refused"


class StoredVerdict(NamedTuple):
    """A decision with what it is bound to: the champion it was made against and the hash of the version's files."""

    model: str
    version: str
    against: str | None
    gate: str
    files: str
    decision: Decision
    approval_hours: float

    @property
    def short(self) -> dict[str, Any]:
        """What the summary of a run shows."""
        return {
            "verdict": self.decision.verdict,
            "promoted": self.decision.promote,
            "summary": self.decision.summary,
            "gate": self.gate,
        }

    def change(self, why: str) -> Change:
        """The promotion that it allows."""
        return Change(
            model=self.model, version=self.version, kind="promote", why=why, expected=self.against, gate=self.gate,
            files=self.files,
        )  # fmt: skip


def store_verdict(home: Home, run_id: str, evidence: Evidence) -> StoredVerdict:
    """Judge the evidence, keep both and a page with the MLflow run `run_id`, and tag the version that it is about.

    The tag of the decision comes last: where it is, all the others are. Raises IntegrityError as `judge` does.
    """
    from lmforge.release.bundle import write_bundle

    facts = evidence.facts
    with tempfile.TemporaryDirectory() as scratch:
        sealed = write_bundle(evidence, Path(scratch))
        tracking.client(home).log_artifacts(run_id, scratch, PLACE)
    log_page(home, run_id, sealed)
    describe_version(home, run_id, sealed)
    verdict = _verdict(evidence, sealed.decision, sealed.gate_hash)
    version = facts.challenger.version
    registry.tag_version(
        home, facts.name, version, {GATE_TAG: verdict.gate, RUN_TAG: run_id, AGAINST_TAG: verdict.against or ""}
    )
    registry.tag_version(home, facts.name, version, {DECISION_TAG: json.dumps(verdict.short)})
    return verdict


def stored_verdict(home: Home, name: str, version: str) -> StoredVerdict:
    """The verdict on a version, derived again. Raises RefusedError when there is none that can be trusted."""
    import mlflow
    from mlflow.exceptions import MlflowException

    from lmforge.release.bundle import verify_bundle

    tags: dict[str, str] = tracking.client(home).get_model_version(name, version).tags
    judged, again = f"{name} version {version}", "judge it again: lmforge run RECIPE"
    if REFUSED_TAG in tags and DECISION_TAG not in tags:
        raise RefusedError(f"{judged} was refused: {tags[REFUSED_TAG]}")
    if DECISION_TAG not in tags or GATE_TAG not in tags or RUN_TAG not in tags:
        raise RefusedError(f"{judged} has no evidence: no gate has judged it; run its recipe: lmforge run RECIPE")
    try:
        with tempfile.TemporaryDirectory() as scratch:
            place = mlflow.artifacts.download_artifacts(f"runs:/{tags[RUN_TAG]}/{PLACE}", dst_path=scratch)
            sealed = verify_bundle(Path(place), tags[GATE_TAG])
    except (MlflowException, OSError) as error:
        if is_outage(error):
            raise
        said = str(error).splitlines()[0]
        raise RefusedError(f"{judged} has no evidence in run {tags[RUN_TAG]}: {said}; {again}") from error
    except IntegrityError as error:
        raise RefusedError(f"{judged}: {error}") from error
    verdict = _verdict(sealed.evidence, sealed.decision, sealed.gate_hash)
    if (verdict.model, verdict.version) != (name, version):
        raise RefusedError(f"{judged}: its evidence is about {verdict.model} version {verdict.version}; {again}")
    if tags[DECISION_TAG] != json.dumps(verdict.short):
        raise RefusedError(f"{judged}: the tag {DECISION_TAG} is not what its evidence says; {again}")
    return verdict


def _verdict(evidence: Evidence, decision: Decision, gate: str) -> StoredVerdict:
    facts = evidence.facts
    against = facts.champion.version if facts.champion else None
    return StoredVerdict(
        facts.name, facts.challenger.version, against, gate, facts.challenger.fingerprint, decision,
        facts.policy.approval_hours,
    )  # fmt: skip
