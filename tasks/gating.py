"""Validate what a stage is about to publish, beside what was accepted last; keep the report whatever the verdict.

The report compares with an earlier run, so it lies below `logs/` of the artifact: the artifact's fingerprint is that of
its data, whatever ran before.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from expectations.suite import Suite
from expectations.verdict import Value, in_words
from lmforge.artifacts.snapshots import Snapshots
from tasks import tracking
from tasks.context import Run
from tasks.validation import ValidationSummary, validate

if TYPE_CHECKING:
    import polars as pl

logger = logging.getLogger("lmforge.gate")

# Marks what the last accepted run had among the facts of a suite.
_THEN = "then_"


def gate(
    run: Run,
    stage: str,
    suite: Suite,
    frame: pl.LazyFrame | None,
    out: Path,
    facts: Mapping[str, float],
    details: Mapping[str, str] | None = None,
) -> ValidationSummary:
    """Judge the table, or the facts alone, of the artifact that is being built in `out`; log its Data Docs to MLflow.

    Reads `profile.json` of `out` and writes it where the stage left none. The summary's `num_warnings` says how many
    promises are broken that do not stop the run. Raises ContractError where one does.
    """
    from lmforge.text.profiling import read_profile, write_profile

    described = None if frame is None else read_profile(out) or write_profile(frame, out)
    # The store builds in a directory that is named by the key.
    key, snapshots = out.name, Snapshots(run.home.snapshots)
    earlier = _comparable(snapshots.last(run.recipe.name, stage, other_than=key), described)
    report = run.report_directory(stage)
    try:
        summary = validate(
            suite,
            frame,
            facts={**facts, **_changes(described, earlier)},
            report=report,
            compared_with=earlier["key"] if earlier else None,
            max_failing_rows=run.recipe.expectations.max_failing_rows,
            details=details,
        )
    finally:
        if report.is_dir():
            tracking.log_report(run, stage, report)
    for outcome in summary.outcomes:
        if outcome.verdict == "warns":
            logger.warning("%s: %s", suite.name, in_words(outcome))
    shutil.copytree(report, out / "logs" / "validation")
    statistics = {name: value for name, value in summary.statistics.items() if not name.startswith(_THEN)}
    snapshots.accept(run.recipe.name, stage, {"key": key, "profile": described, "statistics": statistics})
    return summary


def _comparable(earlier: dict[str, Any] | None, described: Mapping[str, Any] | None) -> dict[str, Any] | None:
    # A profile of another format says nothing, and a run that it stops would never replace it.
    if earlier and described and (earlier["profile"] or {}).get("format") != described["format"]:
        return None
    return earlier


def _changes(described: Mapping[str, Any] | None, earlier: Mapping[str, Any] | None) -> dict[str, Value]:
    """What a suite may judge beside the stage's own facts: the profile's numbers and, after a first run, changes."""
    from lmforge.monitoring.drift import drift, measures

    facts: dict[str, Value] = {**measures(described)} if described else {}
    if earlier:
        facts |= {_THEN + name: value for name, value in earlier["statistics"].items()}
        if described and earlier["profile"]:
            facts |= drift(described, earlier["profile"])
    return facts
