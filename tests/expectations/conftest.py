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
from tasks.validation import validate


class Verdict(NamedTuple):
    broken: set[str]
    offenders: set[str]
    statistics: dict[str, float | None]


@pytest.fixture
def judge(tmp_path: Path) -> Callable[..., Verdict]:
    def run(suite: Suite, frame: pl.DataFrame | None = None, facts: Mapping[str, float] | None = None) -> Verdict:
        refused = False
        try:
            validate(suite, None if frame is None else frame.lazy(), facts=facts, report=tmp_path)
        except ContractError:
            refused = True
        result = json.loads((tmp_path / "validation.json").read_text(encoding="utf-8"))
        assert refused is not result["passed"]
        broken = {outcome["column"] for outcome in result["outcomes"] if not outcome["passed"]}
        return Verdict(broken, {row["id"] for row in result["offenders"]}, result["statistics"])

    return run
