"""A verdict is found again as it was stored; one that was touched anywhere is void."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmforge.errors import RefusedError
from tasks import registry, tracking
from tasks.gate_verdicts import DECISION_TAG, GATE_TAG, PLACE, REFUSED_TAG, RUN_TAG, stored_verdict
from tests.registries import NAME, add_version, home_at, judge


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = home_at(tmp_path_factory.mktemp("verdicts") / "home")
    home.path.mkdir()
    return home


@pytest.fixture
def version(home):
    return add_version(home)


@pytest.mark.parametrize(("value", "against"), [(0.8, None), (0.8, "1"), (0.1, "1")])
def test_a_verdict_is_found_as_it_was_stored(home, version, value, against):
    stored = judge(home, version, against=against, value=value)
    found = stored_verdict(home, NAME, version)
    assert found == stored
    assert found.against == against
    assert found.decision.promote is (value == 0.8)
    change = found.change("because")
    assert (change.version, change.expected, change.gate, change.files) == (version, against, found.gate, found.files)


def test_a_version_that_nothing_compares_is_refused_with_the_reason(home, version):
    registry.tag_version(home, NAME, version, {REFUSED_TAG: "their tokenizers differ"})
    with pytest.raises(RefusedError, match=f"reviews version {version} was refused: their tokenizers differ"):
        stored_verdict(home, NAME, version)
    judge(home, version, against=None)
    assert stored_verdict(home, NAME, version).decision.promote


def test_without_evidence_it_is_refused(home, version):
    with pytest.raises(RefusedError, match=f"reviews version {version} has no evidence: no gate has judged it"):
        stored_verdict(home, NAME, version)


@pytest.mark.parametrize("name", ["facts.json", "gate.json", "predictions.parquet"])
def test_changed_evidence_is_void(home, version, name):
    verdict = judge(home, version, against=None, value=0.1)
    run = tracking.client(home).get_model_version(NAME, version).tags[RUN_TAG]
    file = Path(tracking.client(home).get_run(run).info.artifact_uri.removeprefix("file://")) / PLACE / name
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(RefusedError, match=f"reviews version {version}: .*void"):
        stored_verdict(home, NAME, version)
    assert verdict.decision.first_failure == "minimum"


def test_evidence_of_another_version_is_refused(home, version):
    judge(home, version, against=None)
    other = add_version(home)
    tags = dict(tracking.client(home).get_model_version(NAME, version).tags)
    registry.tag_version(home, NAME, other, tags)
    with pytest.raises(RefusedError, match=f"version {other}: its evidence is about reviews version {version}"):
        stored_verdict(home, NAME, other)


def test_changed_tags_are_void(home, version):
    judge(home, version, against=None, value=0.1)
    tags = dict(tracking.client(home).get_model_version(NAME, version).tags)
    yes = json.dumps(json.loads(tags[DECISION_TAG]) | {"promoted": True})
    for tag, value in ((GATE_TAG, "f" * 64), (DECISION_TAG, yes), (RUN_TAG, "0" * 32)):
        registry.tag_version(home, NAME, version, {tag: value})
        with pytest.raises(RefusedError, match=r"void|not what its evidence says|no evidence in run"):
            stored_verdict(home, NAME, version)
        registry.tag_version(home, NAME, version, tags)
    assert not stored_verdict(home, NAME, version).decision.promote
