"""One way to judge in the tests of the suites: the real gate, with the broken columns as the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

from expectations.suite import Suite
from lmforge.errors import ContractError
from lmforge.monitoring.drift import measures
from lmforge.text.profiling import profile
from tasks.validation import validate


class Verdict(NamedTuple):
    """`broken` holds what stops, `warned` what does not; a comparison is made where an earlier run is named."""

    broken: set[str]
    warned: set[str]
    skipped: set[str]
    offenders: set[str]
    statistics: dict[str, float | None]


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., Verdict]:
    def run(
        suite: Suite,
        frame: pl.DataFrame | None = None,
        facts: Mapping[str, float | None] | None = None,
        compared_with: str | None = None,
    ) -> Verdict:
        refused = False
        table = None if frame is None else frame.lazy()
        measured = {} if table is None else measures(profile(table))
        try:
            validate(suite, table, facts=measured | (facts or {}), report=tmp_path, compared_with=compared_with)
        except ContractError:
            refused = True
        result = json.loads((tmp_path / "validation.json").read_text(encoding="utf-8"))
        assert refused is not result["passed"]
        by_verdict = {
            verdict: {outcome["column"] for outcome in result["outcomes"] if outcome["verdict"] == verdict}
            for verdict in ("broken", "warns", "not compared")
        }
        offenders = {row["id"] for row in result["offenders"]}
        return Verdict(*by_verdict.values(), offenders, result["statistics"])

    return run
