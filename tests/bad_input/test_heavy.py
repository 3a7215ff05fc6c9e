"""Bombs, traps and endless lines: the stage ends as the table says, within its caps of memory and time."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from tests.bad_input.heavy_cases import CASES, measured, warm_up

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
def apart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessPoolExecutor]:
    """A process whose limits the tests do not share."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        process.submit(warm_up, tmp_path_factory.mktemp("first")).result(timeout=120)
        yield process


@pytest.mark.parametrize("name", CASES)
def test_it_ends_within_its_caps(apart: ProcessPoolExecutor, tmp_path: Path, name: str) -> None:
    case = CASES[name]
    found = apart.submit(measured, name, tmp_path).result(timeout=150)
    if isinstance(case.wanted, str):
        assert isinstance(found.outcome, str) and case.wanted in found.outcome
    else:
        assert found.outcome == case.wanted
    assert found.num_mb < case.max_mb
    assert found.num_seconds < case.max_seconds
