"""The gate between stages: judge a table with Great Expectations, write the evidence, stop at a broken promise.

Importing Great Expectations takes 3 s, so it happens inside the call. The report is written before the error is
raised, into a directory that the caller keeps.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict

from expectations.measuring import Value, offending_rows, summarize, unfit_columns
from expectations.suite import Suite
from lmforge.errors import ContractError
from lmforge.reporting.data_docs import format_number, render_data_docs

RESULT, PAGE = "validation.json", "data_docs.html"
NUM_SHOWN_ROWS = 3
# A Great Expectations context registers itself for the whole process, and tasks may run in threads.
_ONE_CONTEXT = threading.Lock()


class Outcome(BaseModel):
    """One expectation: what was expected in words, what was observed, and the recipe key that sets the limit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    expectation: str
    words: str
    observed: Value
    limit: str
    passed: bool
    key: str
    detail: str


class ValidationSummary(BaseModel):
    """The verdict on one table with everything it rests on; the content of `validation.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    promise: str
    passed: bool
    outcomes: list[Outcome]
    statistics: dict[str, Value]
    offenders: list[dict[str, str]]


def validate(
    suite: Suite, frame: pl.LazyFrame | None, *, facts: Mapping[str, float] | None = None, report: Path
) -> ValidationSummary:
    """Judge the rows of `frame`, or `facts` alone where the suite has no columns, and write the report directory.

    Returns the summary when every expectation holds. Raises ContractError after writing `validation.json` and
    `data_docs.html` when one is broken, could not be decided, or there is none.
    """
    if (frame is None) is bool(suite.columns):
        raise ValueError(f"suite {suite.name} judges {'a table' if suite.columns else 'facts alone'}")
    statistics = summarize(suite, frame, facts or {})
    problems = {} if frame is None else unfit_columns(suite, frame)
    unfit = "; ".join(f"{name} {problem}" for name, problem in problems.items())
    outcomes = _judge(suite, statistics, {"num_unfit_columns": unfit})
    broken = {outcome.column for outcome in outcomes if not outcome.passed}
    summary = ValidationSummary(
        suite=suite.name,
        promise=suite.promise,
        passed=bool(outcomes) and not broken,
        outcomes=outcomes,
        statistics=statistics,
        offenders=[] if frame is None else _offenders(suite, frame, broken),
    )
    page = write_report(summary, report)
    if not summary.passed:
        raise ContractError(_complaint(summary, page))
    return summary


def scan_labelled(directory: Path) -> pl.LazyFrame:
    """Return the examples of `train`, `validation` and `test.parquet` as one lazy table with a column `split`."""
    splits = ("train", "validation", "test")
    tables = [pl.scan_parquet(directory / f"{split}.parquet").with_columns(split=pl.lit(split)) for split in splits]
    return pl.concat(tables, how="diagonal_relaxed")


def write_report(summary: ValidationSummary, report: Path) -> Path:
    """Write `validation.json` and `data_docs.html` into the directory; return the path of the page."""
    report.mkdir(parents=True, exist_ok=True)
    result = summary.model_dump()
    text = json.dumps(result, indent=2, ensure_ascii=False, sort_keys=True, allow_nan=False)
    (report / RESULT).write_text(text + "\n", encoding="utf-8")
    page = report / PAGE
    page.write_text(render_data_docs(result), encoding="utf-8")
    return page


def _offenders(suite: Suite, frame: pl.LazyFrame, broken: set[str]) -> list[dict[str, str]]:
    rules = [rule for rule in suite.rules if rule.column in broken]
    return [row for rule in rules for row in offending_rows(suite, rule, frame, NUM_SHOWN_ROWS)]


def _judge(suite: Suite, statistics: Mapping[str, Value], details: Mapping[str, str]) -> list[Outcome]:
    checks = suite.checks
    with _ONE_CONTEXT:
        results = _run_great_expectations(suite.name, checks, statistics) if checks else {}
    return [
        _outcome(check, results.get(position), details.get(check["kwargs"]["column"], ""))
        for position, check in enumerate(checks)
    ]


def _run_great_expectations(
    name: str, checks: tuple[dict[str, Any], ...], statistics: Mapping[str, Value]
) -> dict[int, Any]:
    """Return the result of each check by its position; Great Expectations drops one that it does not know."""
    import great_expectations as gx

    # It names its temporary directory at INFO, on a logger that sets its own level.
    logging.getLogger("great_expectations.data_context.types.base").setLevel(logging.WARNING)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("summary").add_dataframe_asset(name)
    numbered = [check | {"meta": check["meta"] | {"position": position}} for position, check in enumerate(checks)]
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
    kwargs, meta = check["kwargs"], check["meta"]
    value: Any = None if result is None else result.result.get("observed_value")
    # Great Expectations hands numpy scalars through, which JSON cannot hold.
    observed: Value = value.item() if hasattr(value, "item") else value
    if result is None:
        detail = f"Great Expectations does not know {check['type']}"
    elif observed is None:
        detail = detail or "could not be computed"
    return Outcome(
        column=kwargs["column"],
        expectation=check["type"],
        words=meta["words"],
        observed=observed,
        limit=_limit(kwargs.get("min_value"), kwargs.get("max_value")),
        passed=observed is not None and bool(result.success),
        key=meta["key"],
        detail=detail,
    )


def _limit(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f"between {format_number(minimum)} and {format_number(maximum)}"
    return f"at least {format_number(minimum)}" if maximum is None else f"at most {format_number(maximum)}"


def _complaint(summary: ValidationSummary, page: Path) -> str:
    failed = [outcome for outcome in summary.outcomes if not outcome.passed]
    lines = [
        f"suite {summary.suite}: {len(failed)} of {len(summary.outcomes)} expectations failed; nothing was published"
    ]
    if not summary.outcomes:
        lines = [f"suite {summary.suite} has no expectations, so it cannot promise anything; give it at least one"]
    for outcome in failed:
        observed = "unknown" if outcome.observed is None else format_number(outcome.observed)
        detail = f" ({outcome.detail})" if outcome.detail else ""
        lines.append(f"- {outcome.words}: got {observed}{detail}, expected {outcome.limit}")
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
