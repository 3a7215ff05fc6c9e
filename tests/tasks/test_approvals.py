"""An approval holds for one evaluation and for a while; it never replaces a rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from lmforge.errors import RefusedError, TransitionError
from lmforge.reporting.history import render_approval
from tasks import registry
from tasks.approvals import give_approval, reject, require_approval
from tasks.releasing import approve_version, promote_version
from tests.registries import NAME, POLICY, add_version, home_at, judge, whole

ASKED = POLICY.model_copy(update={"require_approval": True, "approval_hours": 2})


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = home_at(tmp_path_factory.mktemp("approvals") / "home")
    home.path.mkdir()
    return home


@pytest.fixture
def version(home):
    return add_version(home)


def test_a_promotion_that_needs_a_person_waits_for_one(home, version):
    judge(home, version, against=None, policy=ASKED)
    asked = f"needs the approval of a person: lmforge approve reviews/{version} --reason"
    with pytest.raises(RefusedError, match=asked):
        promote_version(home, f"{NAME}/{version}", self_test=whole)
    document = approve_version(home, f"{NAME}/{version}", " looked at it ")
    assert (document["needed"], document["why"]) == (True, "looked at it")
    text = render_approval(document)
    assert f"reviews/{version} is approved for 2 hours" in text
    assert text.endswith(f"next: lmforge promote reviews/{version}")
    waited = render_approval(document | {"flow_run": "reviews/1 (http://here/runs/1)"})
    assert waited.endswith("next: the flow run that waited promotes it: reviews/1 (http://here/runs/1)")
    entry = promote_version(home, f"{NAME}/{version}", self_test=whole)["entry"]
    assert entry["why"].startswith(f"approved by {document['who']}: looked at it; first version: ")
    assert registry.aliases(home, NAME)["champion"] == version


def test_an_approval_expires(home, version):
    verdict, now = judge(home, version, against=None, policy=ASKED), datetime.now(UTC)
    given = give_approval(home, verdict, "ann", "fine", now)
    assert require_approval(home, verdict, now + timedelta(hours=1.9)) == given
    with pytest.raises(RefusedError, match="the approval is older than 2"):
        require_approval(home, verdict, now + timedelta(hours=2.1))
    with pytest.raises(RefusedError, match="which is to come"):
        require_approval(home, verdict, now - timedelta(minutes=6))


def test_the_state_follows_the_table(home, version):
    with pytest.raises(TransitionError, match=f"version {version} is registered and cannot become approved"):
        registry.move_state(home, NAME, version, "approved")
    verdict = judge(home, version, against=None, policy=ASKED)
    give_approval(home, verdict, "ann", "fine")
    assert registry.version_of(home, f"{NAME}/{version}").tags[registry.STATE_TAG] == "approved"
    registry.move_state(home, NAME, version, "evaluated", "rejected")
    with pytest.raises(TransitionError, match="from rejected it goes to evaluated"):
        give_approval(home, verdict, "ann", "fine")


def test_an_approval_is_of_one_evaluation(home, version):
    give_approval(home, judge(home, version, against=None, policy=ASKED), "ann", "fine")
    again = judge(home, version, against=None, value=0.9, policy=ASKED)
    with pytest.raises(RefusedError, match="ann approved another evaluation of it"):
        require_approval(home, again)
    registry.tag_version(home, NAME, version, {"lmforge.approval": "yes"})
    with pytest.raises(RefusedError, match="is no approval"):
        require_approval(home, again)


def test_what_a_person_rejected_cannot_be_approved_after_all(home, version):
    verdict = judge(home, version, against=None, policy=ASKED)
    reject(home, verdict, "bob", "too slow")
    with pytest.raises(TransitionError, match="is rejected and cannot become approved"):
        give_approval(home, verdict, "ann", "fine")


def test_a_server_that_does_not_answer_holds_no_approval_up(home, version, monkeypatch):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    judge(home, version, against=None, policy=ASKED)
    assert approve_version(home, f"{NAME}/{version}", "fine")["flow_run"] is None


def test_nobody_can_approve_what_broke_a_rule(home, version):
    judge(home, version, against=None, value=0.1, policy=ASKED)
    with pytest.raises(RefusedError, match="cannot be approved: rule minimum failed"):
        approve_version(home, f"{NAME}/{version}", "please")
