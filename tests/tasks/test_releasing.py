"""The four questions: what is in production, since when and why, what was on a date, and the old one back."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from lmforge.errors import InputError, RefusedError
from lmforge.reporting.history import render_history, render_promotion, render_rollback
from tasks import registry, tracking
from tasks.gate_verdicts import RUN_TAG
from tasks.promotion import INTENT_TAG
from tasks.releasing import promote_version, roll_back, tell_history
from tests.registries import NAME, act, copied, judge, promote, whole, with_champion


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """Version 1 in production, 2 judged against it and challenger, 3 not good enough, 4 without evidence."""
    home = with_champion(tmp_path_factory.mktemp("releasing") / "home", num_versions=4)
    judge(home, "3", against="1", value=0.1)
    registry.set_alias(home, NAME, registry.CHALLENGER, "2")
    return home


@pytest.fixture
def home(template, tmp_path):
    return copied(template, tmp_path / "home")


def champion(home):
    return registry.aliases(home, NAME)["champion"]


def test_the_challenger_is_promoted_on_its_evidence(home):
    dry = promote_version(home, NAME, dry_run=True, self_test=whole)
    assert (dry["version"], dry["previous"], dry["promoted"], champion(home)) == ("2", "1", False, "1")
    assert "version 2 would be promoted instead of version 1" in render_promotion(dry)
    done = promote_version(home, f"{NAME}/2", self_test=whole)
    assert (done["promoted"], champion(home), done["entry"]["gate"]) == (True, "2", done["gate"])
    text = render_promotion(done)
    assert "reviews version 2 is champion instead of version 1" in text
    assert "passed  minimum: " in text
    again = promote_version(home, f"{NAME}/2", self_test=whole)
    assert render_promotion(again) == "reviews version 2: it is in production already"


@pytest.mark.parametrize("dry_run", [True, False])
@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("3", "version 3 is not promoted: rule minimum: .*does not reach the required"),
        ("4", "version 4 has no evidence"),
    ],
)
def test_what_the_gate_did_not_let_in_is_refused(home, version, reason, dry_run):
    with pytest.raises(RefusedError, match=reason):
        promote_version(home, f"{NAME}/{version}", dry_run, whole)
    assert champion(home) == "1"


def test_evidence_about_other_files_or_another_champion_is_refused(home):
    judge(home, "4", against="1")
    promote_version(home, f"{NAME}/2", self_test=whole)
    with pytest.raises(RefusedError, match="was judged against version 1, but version 2 is in production"):
        promote_version(home, f"{NAME}/4", self_test=whole)
    judge(home, "4", against="2")
    files = registry.model_directory(home, f"models:/{NAME}/4")
    (files / "model.safetensors").write_text("others")
    try:
        with pytest.raises(RefusedError, match="its files are not those that the gate saw"):
            promote_version(home, f"{NAME}/4", self_test=whole)
    finally:
        (files / "model.safetensors").write_text("weights 4")


def test_rollback_goes_to_the_one_before_and_says_how_long_it_took(home):
    promote_version(home, f"{NAME}/2", self_test=whole)
    document = roll_back(home, NAME, None, "wrong labels", whole)
    assert (document["version"], document["previous"], champion(home)) == ("1", "2", "1")
    assert document["entry"]["why"] == "wrong labels"
    assert 0 < document["seconds"] < 60
    assert "reviews version 1 is champion again instead of version 2\n  restored in" in render_rollback(document)
    with pytest.raises(
        RefusedError, match="version 2 was rolled back; if that was a mistake: lmforge rollback reviews"
    ):
        promote_version(home, f"{NAME}/2", self_test=whole)
    with pytest.raises(RefusedError, match="no version to go back to"):
        roll_back(home, NAME, None, "again", whole)
    assert roll_back(home, NAME, "2", "it was the caller", whole)["version"] == "2"
    assert "in production already" in render_rollback(roll_back(home, NAME, "2", "twice", whole))
    assert tell_history(home, NAME, verify=True)["problems"] == []


def test_rollback_refuses_what_no_gate_let_in(home):
    for version in ("3", "99", "2; --"):
        with pytest.raises(RefusedError, match="was never in production, so no gate let it in; versions that were: 1"):
            roll_back(home, NAME, version, "why not", whole)
    with pytest.raises(InputError, match="--reason: empty"):
        roll_back(home, NAME, None, "  ", whole)


def test_what_a_rollback_put_back_has_no_evidence_of_its_own(home):
    promote_version(home, f"{NAME}/2", self_test=whole)
    roll_back(home, NAME, None, "wrong labels", whole)
    document = tell_history(home, NAME)
    assert document["evidence_run"] is None
    assert "evidence:" not in render_history(document)


def test_history_says_what_is_and_was_in_production(home):
    promote_version(home, f"{NAME}/2", self_test=whole)
    document = tell_history(home, NAME, verify=True)
    assert [span["version"] for span in document["spans"]] == ["1", "2"]
    assert document["spans"][0]["until"] == document["spans"][1]["since"]
    text = render_history(document)
    assert text.startswith("reviews: version 2 is in production since 20")
    assert "promote   1 -> 2" in text
    run = tracking.client(home).get_model_version(NAME, "2").tags[RUN_TAG]
    assert document["evidence_run"] == run
    assert f"evidence: MLflow run {run}, page gate/gate.html" in text
    assert "verified: 2 entries" in text
    assert max(map(len, text.splitlines())) <= 80


def test_history_at_a_date_covers_the_whole_day(home):
    today = datetime.now().astimezone()
    found = tell_history(home, NAME, today.date().isoformat())
    assert [span["version"] for span in found["in_production"]] == ["1"]
    assert "reviews version 1, from " in render_history(found)
    for moment in ((today - timedelta(days=2)).date().isoformat(), "2020-01-01T12:00+02:00"):
        before = tell_history(home, NAME, moment)
        assert before["in_production"] == []
        assert "no version was in production at" in render_history(before)
    later = (today + timedelta(hours=1)).isoformat()
    assert [span["version"] for span in tell_history(home, NAME, later)["in_production"]] == ["1"]
    with pytest.raises(InputError, match="--at yesterday: no date; write 2026-03-01"):
        tell_history(home, NAME, "yesterday")


def test_a_broken_ledger_is_reported_with_its_first_link(home):
    registry.set_alias(home, NAME, registry.CHAMPION, "3")
    document = tell_history(home, NAME, verify=True)
    assert "NOT VERIFIED" in render_history(document)
    assert "the alias champion points at version 3" in document["problems"][0]


def test_a_killed_promotion_is_finished_by_the_next_verb(home):
    act(promote, home, "2", LMFORGE_FAULT="promote.tagged:kill9").join()
    assert champion(home) == "1"
    assert "already" in promote_version(home, f"{NAME}/2", self_test=whole)["summary"]
    assert champion(home) == "2"
    assert INTENT_TAG not in registry.model_tags(home, NAME)


def test_a_wrong_name_gets_the_nearest_one(home):
    for ask in (
        lambda: promote_version(home, "reveiws/1"),
        lambda: roll_back(home, "reveiws", None, "x"),
        lambda: tell_history(home, "reveiws"),
    ):
        with pytest.raises(InputError, match="reveiws: no model of this name is registered; did you mean reviews"):
            ask()
    with pytest.raises(InputError, match=r"reviews/99: .*reviews has the versions 4, 3, 2, 1"):
        promote_version(home, f"{NAME}/99")
