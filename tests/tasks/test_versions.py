"""What `lmforge compare` knows of a version: which one a name means, and what its gate measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmforge.errors import InputError
from tasks import registry, tracking
from tasks.gate_verdicts import PLACE, RUN_TAG
from tasks.versions import named_version, version_facts
from tests.registries import NAME, add_version, home_at, judge, promote


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Three versions: the champion, a rejected one that was judged against it, and one that no gate has seen."""
    home = home_at(tmp_path_factory.mktemp("versions") / "home")
    home.path.mkdir()
    add_version(home)
    judge(home, "1", against=None)
    promote(home, "1")
    add_version(home)
    judge(home, "2", against="1", value=0.3)
    add_version(home)
    registry.set_alias(home, NAME, registry.CHALLENGER, "3")
    return home


@pytest.mark.parametrize(
    ("name", "version"),
    [
        (NAME, "1"),
        (f"{NAME}/2", "2"),
        (f"models:/{NAME}/2", "2"),
        (f"{NAME}@challenger", "3"),
        ("latest", None),
        ("3f2a9c1b", None),
    ],
)
def test_a_version_is_told_from_a_run(home, name, version):
    found = named_version(home, name)
    assert (found and str(found.version)) == version


@pytest.mark.parametrize(
    ("name", "message"),
    [("review/1", "did you mean reviews"), (f"{NAME}/9", "reviews has the versions "), (f"{NAME}@best", "reviews")],
)
def test_a_version_that_is_not_there_is_refused(home, name, message):
    with pytest.raises(InputError, match=message):
        named_version(home, name)


def test_the_numbers_of_the_gate_stand_beside_state_and_aliases(home):
    facts = version_facts(home, NAME, "2")
    assert (facts["state"], facts["aliases"]) == ("rejected", None)
    assert facts["gate/judged_against"] == "version 1"
    assert facts["gate/failed_rules"].split(", ")[0] == "minimum"
    assert facts["gate/size_bytes"] == 10
    interval = facts["gate/gain_over_champion"]
    assert interval["value"] == pytest.approx(0.2)
    assert interval["low"] < 0.2 < interval["high"]
    # It was timed against nothing.
    assert (facts["gate/median_milliseconds"], facts["gate/latency_ratio"]) == (None, None)


def test_a_first_version_has_no_gain(home):
    facts = version_facts(home, NAME, "1")
    assert (facts["state"], facts["aliases"]) == ("champion", "champion")
    assert (facts["gate/verdict"], facts["gate/judged_against"]) == ("first version", "no champion")
    assert facts["gate/gain_over_champion"] is None
    assert facts["gate/failed_rules"] == "none"


def test_a_version_that_no_gate_judged_has_a_state_alone(home):
    assert [name for name in version_facts(home, NAME, "3") if name.startswith("gate/")] == []
    assert version_facts(home, NAME, "9") == {}


def test_evidence_that_is_gone_leaves_its_hash(home):
    run = tracking.client(home).get_model_version(NAME, "2").tags[RUN_TAG]
    gate = Path(tracking.client(home).get_run(run).info.artifact_uri.removeprefix("file://")) / PLACE / "gate.json"
    gate.rename(gate.with_suffix(".away"))
    facts = version_facts(home, NAME, "2")
    gate.with_suffix(".away").rename(gate)
    assert [name for name in facts if name.startswith("gate/")] == ["gate/hash"]
