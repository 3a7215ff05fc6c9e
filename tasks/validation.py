"""The gate between stages: judge a table with Great Expectations, write the evidence, stop at a broken promise.

Importing Great Expectations takes seconds, so it happens inside the call: a stage that is reused never pays. The
report is written before the error is raised, into a directory that the caller keeps.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict

from expectations.measuring import offending_rows, summarize, unfit_columns
from expectations.suite import Suite
from expectations.verdict import Outcome, Value, in_words, not_compared, outcome_of
from lmforge.errors import ContractError
from lmforge.reporting.data_docs import render_data_docs

RESULT, PAGE, FAILING_ROWS = "validation.json", "data_docs.html", "failing_rows.jsonl"
NUM_SHOWN_ROWS = 3
# A Great Expectations context registers itself for the whole process, and tasks may run in threads.
_ONE_CONTEXT = threading.Lock()


class ValidationSummary(BaseModel):
    """The verdict on one table with everything it rests on; the content of `validation.json`.

    compared_with: key of the earlier snapshot's artifact, empty without one. offenders: the first rows of each rule.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    promise: str
    passed: bool
    num_warnings: int
    compared_with: str
    outcomes: list[Outcome]
    statistics: dict[str, Value]
    offenders: list[dict[str, str]]
    num_failing_rows: int


def validate(
    suite: Suite,
    frame: pl.LazyFrame | None,
    *,
    facts: Mapping[str, Value] | None = None,
    report: Path,
    compared_with: str | None = None,
    max_failing_rows: int = 1_000,
    details: Mapping[str, str] | None = None,
) -> ValidationSummary:
    """Judge the rows of `frame`, or `facts` alone where the suite has no columns, and write the report directory.

    compared_with: key of the artifact of the earlier snapshot that `facts` compare with; None on a first run.
    max_failing_rows: rows written to `failing_rows.jsonl`, at most so many a rule that is broken or warns.
    details: summary column -> words that stand beside its value, such as a table of what it summarizes.
    Returns the summary when no expectation stops the run. Raises ContractError after writing `validation.json`,
    `failing_rows.jsonl` and `data_docs.html` when one does, could not be decided, or there is none to decide.
    """
    if (frame is None) is bool(suite.columns):
        raise ValueError(f"suite {suite.name} judges {'a table' if suite.columns else 'facts alone'}")
    statistics = summarize(suite, frame, facts or {})
    problems = {} if frame is None else unfit_columns(suite, frame)
    unfit = "; ".join(f"{name} {problem}" for name, problem in problems.items())
    said = {**(details or {}), "num_unfit_columns": unfit}
    outcomes = _judge(suite, statistics, said, first=compared_with is None)
    verdicts = [outcome.verdict for outcome in outcomes]
    failing = [] if frame is None else _failing_rows(suite, frame, outcomes, max_failing_rows)
    summary = ValidationSummary(
        suite=suite.name,
        promise=suite.promise,
        # Neither no expectations nor only comparisons without an earlier run are a promise.
        passed="broken" not in verdicts and bool(set(verdicts) - {"not compared"}),
        num_warnings=verdicts.count("warns"),
        compared_with=compared_with or "",
        outcomes=outcomes,
        statistics=statistics,
        offenders=[row for rows in failing for row in rows[:NUM_SHOWN_ROWS]],
        num_failing_rows=sum(len(rows[:max_failing_rows]) for rows in failing),
    )
    page = write_report(summary, report, [row for rows in failing for row in rows[:max_failing_rows]])
    if not summary.passed:
        raise ContractError(_complaint(summary, page))
    return summary


def scan_labelled(directory: Path) -> pl.LazyFrame:
    """Return the examples of `train`, `validation` and `test.parquet` as one lazy table with a column `split`."""
    splits = ("train", "validation", "test")
    tables = [pl.scan_parquet(directory / f"{split}.parquet").with_columns(split=pl.lit(split)) for split in splits]
    return pl.concat(tables, how="diagonal_relaxed")


def write_report(summary: ValidationSummary, report: Path, failing: Sequence[Mapping[str, str]] = ()) -> Path:
    """Write `validation.json`, `data_docs.html` and the failing rows into the directory; return the page's path."""
    report.mkdir(parents=True, exist_ok=True)
    result = summary.model_dump()
    text = json.dumps(result, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False)
    (report / RESULT).write_text(text + "\n", encoding="utf-8")
    # A report may replace that of an earlier attempt.
    (report / FAILING_ROWS).unlink(missing_ok=True)
    if failing:
        lines = (json.dumps(dict(row), sort_keys=True) + "\n" for row in failing)
        (report / FAILING_ROWS).write_text("".join(lines), encoding="utf-8")
    page = report / PAGE
    page.write_text(render_data_docs(result, failing_rows=FAILING_ROWS if failing else ""), encoding="utf-8")
    return page


def _failing_rows(
    suite: Suite, frame: pl.LazyFrame, outcomes: Sequence[Outcome], limit: int
) -> list[list[dict[str, str]]]:
    failed = {outcome.column for outcome in outcomes if outcome.verdict in ("broken", "warns")}
    rules = [rule for rule in suite.rules if rule.column in failed]
    return [offending_rows(suite, rule, frame, max(limit, NUM_SHOWN_ROWS)) for rule in rules]


def _judge(suite: Suite, statistics: Mapping[str, Value], details: Mapping[str, str], *, first: bool) -> list[Outcome]:
    skipped = {position for position, check in enumerate(suite.checks) if first and check["meta"]["compares"]}
    judged = {position: check for position, check in enumerate(suite.checks) if position not in skipped}
    with _ONE_CONTEXT:
        results = _run_great_expectations(suite.name, judged, statistics) if judged else {}
    return [
        not_compared(check)
        if position in skipped
        else _outcome(check, results.get(position), details.get(check["kwargs"]["column"], ""))
        for position, check in enumerate(suite.checks)
    ]


def _run_great_expectations(
    name: str, checks: Mapping[int, dict[str, Any]], statistics: Mapping[str, Value]
) -> dict[int, Any]:
    """Return the result of each check by its position; Great Expectations drops one that it does not know."""
    import great_expectations as gx

    # It names its temporary directory at INFO, on a logger that sets its own level.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("summary").add_dataframe_asset(name)
    numbered = [check | {"meta": check["meta"] | {"position": position}} for position, check in checks.items()]
    definition = gx.ValidationDefinition(
        name=name,
        data=asset.add_batch_definition_whole_dataframe("row"),
        suite=context.suites.add(gx.ExpectationSuite(name=name, expectations=numbered)),
    )
    row = pl.DataFrame([statistics], infer_schema_length=None).to_pandas()
    verdict = context.validation_definitions.add(definition).run(
        batch_parameters={"dataframe": row}, result_format="SUMMARY"
    )
    return {result.expectation_config.meta["position"]: result for result in verdict.results}


def _outcome(check: Mapping[str, Any], result: Any, detail: str) -> Outcome:
    if result is None:
        return outcome_of(check, None, False, f"Great Expectations does not know {check['type']}")
    value = result.result.get("observed_value")
    # Great Expectations hands numpy scalars through, which JSON cannot hold.
    observed: Value = value.item() if hasattr(value, "item") else value
    return outcome_of(check, observed, bool(result.success), detail)


def _complaint(summary: ValidationSummary, page: Path) -> str:
    failed = [outcome for outcome in summary.outcomes if outcome.verdict == "broken"]
    lines = [
        f"suite {summary.suite}: {len(failed)} of {len(summary.outcomes)} expectations failed; nothing was published"
    ]
    if not failed:
        lines = [f"suite {summary.suite} has no expectations, so it cannot promise anything; give it at least one"]
    for outcome in failed:
        lines.append(f"- {in_words(outcome)}")
        lines += [f"    {_one_line(row)}" for row in summary.offenders if f"{row['rule']}_share" == outcome.column]
        remedy = (
            f"change `{outcome.key}` in the recipe or mend the data"
            if outcome.key
            else "mend the data; no recipe key relaxes this"
        )
        lines.append(f"  to fix: {remedy}")
    return "\n".join([*lines, f"Data Docs: {page}"])


def _one_line(row: Mapping[str, str]) -> str:
    parts = (f"id {row['id']}", f"at {row['place']}" if row["place"] else "", row["note"], row["excerpt"])
    return ", ".join(part for part in parts if part)
