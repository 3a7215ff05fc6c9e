"""Validate what a stage is about to publish; keep the report with the run whatever the verdict, and in the artifact."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from expectations.suite import Suite
from tasks import tracking
from tasks.context import Run
from tasks.validation import validate

if TYPE_CHECKING:
    import polars as pl


def gate(run: Run, stage: str, suite: Suite, frame: pl.LazyFrame | None, out: Path, facts: Mapping[str, float]) -> None:
    """Raise ContractError when `suite` finds a broken promise, after logging its Data Docs to MLflow."""
    report = run.report_directory(stage)
    try:
        validate(suite, frame, facts=facts, report=report)
    finally:
        if report.is_dir():
            tracking.log_report(run, stage, report)
    shutil.copytree(report, out / "validation")
