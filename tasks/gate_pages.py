"""The page of a gate's decision among the artifacts of the run that judged, and a line about it at the version.

It lies beside the bundle and not in it: a page may be made again by a later release, evidence may not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmforge.home import Home
from tasks import tracking

if TYPE_CHECKING:
    from lmforge.release.bundle import Sealed
    from lmforge.release.decision import Decision

PAGE = "gate/gate.html"
_MARK = "**Release gate:** "


def log_page(home: Home, run_id: str, sealed: Sealed) -> None:
    """Write the page to the artifacts of an MLflow run."""
    from lmforge.reporting.gate_page import gate_document, render_gate_page

    tracking.client(home).log_text(run_id, render_gate_page(gate_document(sealed)), PAGE)


def describe_version(home: Home, run_id: str, sealed: Sealed) -> None:
    """Begin the version's description with the verdict, the gain and where the page is; an earlier line gives way."""
    tracker, facts = tracking.client(home), sealed.evidence.facts
    version = facts.challenger.version
    before: str = tracker.get_model_version(facts.name, version).description or ""
    if before.startswith(_MARK):
        before = before.partition("\n\n")[2]
    line = f"{_MARK}{_told(sealed.decision)}; page: `runs:/{run_id}/{PAGE}`"
    tracker.update_model_version(facts.name, version, f"{line}\n\n{before}".strip())


def _told(decision: Decision) -> str:
    found = decision.comparison
    if found is None:
        return decision.verdict
    interval = f"{found.interval.low:+.4f} to {found.interval.high:+.4f}"
    return f"{decision.verdict}, gain {found.gain:+.4f} {found.metric} ({found.interval.confidence:.0%}: {interval})"
