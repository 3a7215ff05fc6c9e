"""What Great Expectations costs and decides: our suite over one summary row, and the same rules over the texts.

Both read the same Parquet shards and judge the same promises with the same limits, in one process, by turns. Then each
judges tables with a planted fault; the broken promises of both are compared. Importing the library is not timed.

Usage: python benchmarks/corpus_gates.py CLEAN [--rounds N]
CLEAN is the directory of a clean corpus of a few thousand documents and more.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import great_expectations as gx
import polars as pl

from expectations.clean_corpus import clean_corpus
from expectations.patterns import CONTROL_CHARACTERS
from expectations.suite import Suite
from lmforge.errors import ContractError
from tasks.validation import RESULT, validate

LANGUAGES, MIN_WORDS, MAX_WORDS, MIN_DOCUMENTS = ("en",), 5, 5_000, 1_000
MAX_SHARE = 0.01
_FAULTED_ROWS = 20_000
# Column, value and share of the rows that get it: the first rows of the table.
FAULTS: dict[str, tuple[str, Any, float]] = {
    "none": ("text", None, 0.0),
    "blank texts": ("text", " \n ", 0.05),
    "one text again and again": ("text", "The same words stand here once more.", 0.05),
    "few repeated texts": ("text", "The same words stand here once more.", 0.005),
    "replacement characters": ("text", "one \ufffd two three four five", 0.05),
    "a control character": ("text", "a \x07 bell rings in the morning", 0.001),
    "mojibake": ("text", "un cafÃ© noir dans la rue", 0.05),
    "short documents": ("num_words", 2, 0.001),
    "another language": ("language", "fr", 0.001),
    "an unknown split": ("split", "test", 0.001),
    "repeated ids": ("id", "d5", 0.001),
    "no words at all": ("num_words", 1, 1.0),
}


def on_rows() -> dict[str, dict[str, Any]]:
    """Summary column of our suite to what Great Expectations has for the rows themselves."""
    without = "expect_column_values_to_not_match_regex"
    most = {"column": "text", "mostly": 1 - MAX_SHARE}
    lengths = {"min_value": MIN_WORDS, "max_value": MAX_WORDS}
    checks = {
        "num_rows": ("expect_table_row_count_to_be_between", {"min_value": MIN_DOCUMENTS}),
        "empty_share": ("expect_column_values_to_match_regex", {"column": "text", "regex": r"\S"}),
        "duplicate_share": (
            "expect_column_proportion_of_unique_values_to_be_between",
            {"column": "text", "min_value": 1 - MAX_SHARE},
        ),
        "replacement_character_share": (without, most | {"regex": "\ufffd"}),
        "control_character_share": (without, {"column": "text", "regex": CONTROL_CHARACTERS}),
        # Of the kinds of mojibake that ours knows, the one that is planted.
        "mojibake_share": (without, most | {"regex": "\u00c3[\u00a0-\u00bf]"}),
        "length_share": ("expect_column_values_to_be_between", {"column": "num_words", **lengths}),
        "language_share": (
            "expect_column_values_to_be_in_set",
            {"column": "language", "value_set": [*LANGUAGES, "und"]},
        ),
        "split_share": ("expect_column_values_to_be_in_set", {"column": "split", "value_set": ["train", "validation"]}),
        "repeated_id_share": ("expect_column_values_to_be_unique", {"column": "id"}),
        "mean_words": ("expect_column_mean_to_be_between", {"column": "num_words", "min_value": 3}),
    }
    return {name: {"type": kind, "kwargs": kwargs, "meta": {"column": name}} for name, (kind, kwargs) in checks.items()}


def same_promises() -> Suite:
    """Of our suite what can be said about rows as well, and what that is computed from."""
    whole = clean_corpus(
        languages=LANGUAGES, min_words=MIN_WORDS, max_words=MAX_WORDS, min_documents=MIN_DOCUMENTS,
        max_duplicate_share=MAX_SHARE, max_replacement_character_share=MAX_SHARE, max_mojibake_share=MAX_SHARE, warn=(),
    )  # fmt: skip
    wanted = on_rows().keys()
    return replace(
        whole,
        rules=tuple(rule for rule in whole.rules if rule.column in wanted),
        expectations=tuple(one for one in whole.expectations if one["kwargs"]["column"] in wanted),
        derived={name: whole.derived[name] for name in ("id_key", "text_key", "mojibake")},
        summary={"mean_words": whole.summary["mean_words"]},
        ratios={},
    )


def ours(table: Path, report: Path) -> set[str]:
    """The broken promises by our suite."""
    with suppress(ContractError):
        validate(same_promises(), pl.scan_parquet(table), report=report, max_failing_rows=0)
    outcomes = json.loads((report / RESULT).read_text(encoding="utf-8"))["outcomes"]
    return {one["column"] for one in outcomes if one["verdict"] == "broken"} & on_rows().keys()


def rows(table: Path) -> set[str]:
    """The broken promises by Great Expectations over the rows in pandas."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all")
    suite = context.suites.add(gx.ExpectationSuite(name="rows", expectations=list(on_rows().values())))
    frame = pl.read_parquet(table, columns=["id", "text", "language", "split", "num_words"]).to_pandas()
    with warnings.catch_warnings():
        # Pandas warns of groups in a pattern that is only searched for.
        warnings.simplefilter("ignore", UserWarning)
        verdict = batch.get_batch(batch_parameters={"dataframe": frame}).validate(suite, result_format="SUMMARY")
    assert len(verdict.results) == len(on_rows())
    return {one.expectation_config.meta["column"] for one in verdict.results if not one.success}


def verdicts(table: Path, work: Path) -> dict[str, dict[str, list[str]]]:
    """The broken promises of both by fault."""
    found = {}
    faulted = work / "faulted.parquet"
    for name, (column, value, share) in FAULTS.items():
        frame = pl.read_parquet(table).head(_FAULTED_ROWS)
        chosen = pl.int_range(pl.len()) < pl.len() * share
        frame = frame.with_columns(pl.when(chosen).then(pl.lit(value)).otherwise(pl.col(column)).alias(column))
        frame.write_parquet(faulted)
        found[name] = {"summary": sorted(ours(faulted, work / "report")), "rows": sorted(rows(faulted))}
    return found


def timed(system: Callable[[], object]) -> dict[str, float]:
    wall, cpu = time.monotonic(), time.process_time()
    system()
    return {"seconds": round(time.monotonic() - wall, 4), "cpu_seconds": round(time.process_time() - cpu, 4)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("clean", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    turns: dict[str, list[dict[str, float]]] = {"summary": [], "rows": []}
    with tempfile.TemporaryDirectory() as directory:
        work, table = Path(directory), arguments.clean / "part-*.parquet"
        # Both load parts of the library when they are first asked, so the faults come first.
        judged = verdicts(table, work)
        for _ in range(arguments.rounds):
            turns["summary"].append(timed(lambda: ours(table, work / "report")))
            turns["rows"].append(timed(lambda: rows(table)))
        num_rows = pl.scan_parquet(table).select(pl.len()).collect().item()
    print(json.dumps({"num_rows": num_rows, "turns": turns, "verdicts": judged}))


if __name__ == "__main__":
    main()
