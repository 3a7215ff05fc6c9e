"""Fixtures that make evidence with planted effects, see `tests.instrument`."""

import pytest

from tests.instrument import make_evidence, make_examples, make_facts, make_latency, make_policy, make_variants


@pytest.fixture(scope="session")
def policy():
    return make_policy


@pytest.fixture(scope="session")
def facts():
    return make_facts


@pytest.fixture(scope="session")
def examples():
    return make_examples


@pytest.fixture(scope="session")
def latency():
    return make_latency


@pytest.fixture(scope="session")
def variants():
    return make_variants


@pytest.fixture(scope="session")
def evidence():
    return make_evidence
