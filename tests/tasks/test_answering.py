"""The question that a paused run asks, and what follows from the answer; the pause itself is tested on a server."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from lmforge.errors import RefusedError, TransitionError
from tasks import registry, tracking
from tasks.answering import Answer, act_on_answer, ask_person
from tasks.approvals import give_approval
from tasks.gate_pages import PAGE
from tests.registries import NAME, POLICY, add_version, home_at, judge, promote

ASKED = POLICY.model_copy(update={"require_approval": True, "approval_hours": 0.5})
NO = Answer(answer="reject", reason="too slow", who="bob")


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    home = home_at(tmp_path_factory.mktemp("answering") / "home")
    home.path.mkdir()
    return home


@pytest.fixture
def home(template, monkeypatch):
    monkeypatch.setenv("LMFORGE_HOME", str(template.path))
    return template


@pytest.fixture
def verdict(home):
    return judge(home, add_version(home), against=None, policy=ASKED)


def asked(verdict):
    return ask_person.fn(verdict.model, verdict.version, verdict.gate)


def state_of(home, verdict):
    return tracking.client(home).get_model_version(NAME, verdict.version).tags[registry.STATE_TAG]


def test_the_question_names_page_hash_and_time(verdict):
    question = asked(verdict)
    assert question.text.startswith(f"### Put {NAME}/{verdict.version} into production?")
    assert verdict.gate[:16] in question.text
    assert f"/artifacts/{PAGE}" in question.text
    assert (question.wait_seconds, question.given) == (1800, None)
    assert question.form._description == question.text


def test_the_form_takes_nothing_for_granted():
    assert set(Answer.model_json_schema()["required"]) == {"answer", "reason", "who"}
    for wrong in ({"answer": "yes"}, {"reason": " "}, {"who": ""}, {"who": "a" * 101}, {"more": "x"}):
        with pytest.raises(ValidationError):
            Answer(**({"answer": "approve", "reason": "fine", "who": "ann"} | wrong))


def test_what_was_approved_in_a_terminal_needs_no_second_answer(home, verdict):
    give_approval(home, verdict, "ann", "fine")
    question = asked(verdict)
    assert question.given == Answer(answer="approve", reason="fine", who="ann")


def test_a_no_is_kept_with_the_version(home, verdict):
    name, message = act_on_answer.fn(asked(verdict), NO)
    assert (name, message) == ("Rejected", f"{NAME}/{verdict.version} was rejected by bob: too slow")
    assert state_of(home, verdict) == "rejected"
    assert (
        '"why":"too slow"' in tracking.client(home).get_model_version(NAME, verdict.version).tags["lmforge.rejected_by"]
    )


def test_an_answer_to_another_evaluation_is_refused(home, verdict):
    question = asked(verdict)
    judge(home, verdict.version, against=None, value=0.9, policy=ASKED)
    for late in (lambda: act_on_answer.fn(question, NO), lambda: asked(verdict)):
        with pytest.raises(RefusedError, match=r"it was judged again since, gate .*: lmforge approve reviews/"):
            late()
    assert state_of(home, verdict) == "challenger"


def test_a_late_answer_finds_the_version_in_production(home, verdict):
    give_approval(home, verdict, "ann", "fine")
    promote(home, verdict.version)
    question = asked(verdict)
    outcome = act_on_answer.fn(question, question.given)
    assert outcome.message == f"{NAME}/{verdict.version} was in production already; approved by ann: fine"
    with pytest.raises(TransitionError, match="is champion and cannot become rejected"):
        act_on_answer.fn(question, NO)
