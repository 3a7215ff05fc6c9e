"""Compute what a suite judges: one summary row by a lazy, streaming pass, and a few offending rows on failure.

Memory grows by about 0.3 KB a row where a suite counts distinct texts or ids (by their 64-bit hash), whatever the
length of the texts, and otherwise stays flat. A column that cannot be computed is left out of the summary; the
expectation about it then fails.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import polars as pl

from expectations.patterns import personal_data_left
from expectations.suite import Family, RowRule, Suite
from expectations.verdict import Value

EXCERPT_CHARACTERS = 120


def unfit_columns(suite: Suite, frame: pl.LazyFrame) -> dict[str, str]:
    """Return, by name, what is wrong with each promised column that is missing or holds another kind of value."""
    schema = frame.collect_schema()
    problems = {}
    for name, family in suite.columns.items():
        if name not in schema:
            problems[name] = "is missing"
        elif not _fits(schema[name], family):
            problems[name] = f"is {schema[name]}, expected {family}"
    return problems


def summarize(suite: Suite, frame: pl.LazyFrame | None, facts: Mapping[str, Value]) -> dict[str, Value]:
    """Return the summary row: facts, aggregates of the rows, then ratios; values that are not finite become None."""
    row = {name: _finite(value) for name, value in facts.items()}
    if frame is not None:
        problems = unfit_columns(suite, frame)
        counted = _aggregates(suite, _with_derived(suite, frame, problems), problems).collect(engine="streaming")
        row |= {"num_unfit_columns": len(problems)} | counted.row(0, named=True)
    one = pl.DataFrame([row], infer_schema_length=None)
    for name, sql in suite.ratios.items():
        expression = pl.sql_expr(sql)
        if _roots(expression) <= set(one.columns):
            row[name] = one.select(expression).item()
    return {name: _finite(value) for name, value in row.items()}


def offending_rows(suite: Suite, rule: RowRule, frame: pl.LazyFrame, limit: int) -> list[dict[str, str]]:
    """Return the first `limit` rows that break the rule: rule, id, place, note and excerpt, all printable.

    The excerpt of a private rule is empty, and so is that of a text with personal data or a secret.
    The first pass reads only what the rule needs, so a rule with a window never holds the texts.
    """
    problems = unfit_columns(suite, frame)
    table = _with_derived(suite, frame, problems)
    marked = _mark(rule)
    if not _roots(marked) <= _usable(table, problems):
        return []
    numbered = table.with_row_index("row_number")
    marks = numbered.select("row_number", marked.alias("marked")).filter("marked")
    numbers = marks.select(pl.col("row_number").bottom_k(limit)).collect(engine="streaming")["row_number"]
    rows = numbered.filter(pl.col("row_number").is_in(numbers.implode())).sort("row_number")
    places = rows.with_columns(pl.sql_expr(suite.place).alias("place")) if _places(suite, table) else rows
    found = places.collect(engine="streaming")
    hidden = _hidden(found["text"]) if "text" in _usable(table, problems) else [True] * len(found)
    shown = zip(found.iter_rows(named=True), hidden, strict=True)
    return [_printable(rule, row, hide=rule.private or hide) for row, hide in shown]


def _fits(kind: pl.DataType, family: Family) -> bool:
    return family == "any" or (kind.is_numeric() if family == "number" else kind == pl.String())


def _with_derived(suite: Suite, frame: pl.LazyFrame, problems: Mapping[str, str]) -> pl.LazyFrame:
    known = _usable(frame, problems)
    return frame.with_columns(
        expression.alias(name) for name, expression in suite.derived.items() if _roots(expression) <= known
    )


def _usable(frame: pl.LazyFrame, problems: Mapping[str, str]) -> set[str]:
    return set(frame.collect_schema().names()) - set(problems)


def _aggregates(suite: Suite, table: pl.LazyFrame, problems: Mapping[str, str]) -> pl.LazyFrame:
    # Rows are marked in a step of their own: aggregates that share one step queue whole texts for the slowest of them.
    known = _usable(table, problems)
    marks = {rule.column: _mark(rule) for rule in suite.rules if not rule.share}
    marks = {name: mark for name, mark in marks.items() if _roots(mark) <= known}
    aggregates = dict(suite.summary) | {rule.column: rule.share for rule in suite.rules if rule.share}
    computed = {name: pl.sql_expr(sql) for name, sql in aggregates.items()}
    chosen = [expression.alias(name) for name, expression in computed.items() if _roots(expression) <= known]
    shares = [pl.col(name).mean() for name in marks]
    return table.with_columns(mark.alias(name) for name, mark in marks.items()).select(
        pl.len().alias("num_rows"), *chosen, *shares
    )


def _mark(rule: RowRule) -> pl.Expr:
    """Return true for an offending row, false for a good one and null for one that the rule is not about."""
    return pl.when(pl.sql_expr(rule.among)).then(pl.sql_expr(rule.where).fill_null(True))


def _places(suite: Suite, frame: pl.LazyFrame) -> bool:
    return _roots(pl.sql_expr(suite.place)) <= set(frame.collect_schema().names())


def _roots(expression: pl.Expr) -> set[str]:
    return set(expression.meta.root_names())


def _hidden(texts: pl.Series) -> list[bool]:
    """Which texts to show nowhere: a report is read by more people than the corpus."""
    # Their checksums load libraries that only offending rows need.
    from lmforge.privacy.residue import RESIDUE
    from lmforge.privacy.secrets import find_secrets

    personal = texts.to_frame("text").select(personal_data_left(tuple(RESIDUE))).to_series()
    return [*(personal | find_secrets(texts).is_not_null())]


def _printable(rule: RowRule, row: Mapping[str, object], *, hide: bool) -> dict[str, str]:
    return {
        "rule": rule.name,
        "id": _excerpt(row.get("id")),
        "place": repr(row.get("place") or "")[1:-1],
        "note": ", ".join(f"{name} {_excerpt(row.get(name))}" for name in rule.show),
        "excerpt": "" if hide else _excerpt(row["text"]),
    }


def _excerpt(value: object) -> str:
    # repr escapes control, format and bidirectional characters, which could forge a line of a log or of a page.
    if not isinstance(value, str) or len(value) <= EXCERPT_CHARACTERS:
        return repr(value)
    return repr(value[:EXCERPT_CHARACTERS]) + "..."


def _finite(value: Value) -> Value:
    return value if value is not None and math.isfinite(value) else None
