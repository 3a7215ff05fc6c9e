"""A person's answer for real: the nightly run leaves versions that need one, and runs wait for it, paused."""

import time

import pytest

from tasks import registry, tracking
from tests.command import answered, free_port
from tests.registries import NAME, POLICY, add_version, home_at, judge
from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(540)]
WAIT_SECONDS = 300
ASKED = POLICY.model_copy(update={"require_approval": True})
RELEASE = "release: {resamples: 1000"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """The home of a project with two tasks, its services up."""
    project = tmp_path_factory.mktemp("approval")
    recipe = make_project(project, num_documents=600)
    others, _, task = recipe.read_text().partition(RELEASE)[0].partition("  - name: section")
    task = task.replace("finetuning: {", "finetuning: {scratch_baseline: false, ")
    tasks = "".join(f"  - name: {name}{task}" for name in ("one", "two"))
    recipe.write_text(f"{others}{tasks}{RELEASE}, require_approval: true}}\n")
    home = home_at(project / ".lmforge")
    lmforge(home, "up", "--prefect-port", free_port(), "--mlflow-port", free_port())
    yield home
    lmforge(home, "down")


@pytest.fixture(scope="module")
def prefect(home):
    """A client of the server, as the pages in the browser are one."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    services = {one["name"]: one for one in lmforge(home, "status")["services"]}
    with (
        temporary_settings({PREFECT_API_URL: services["prefect"]["url"] + "/api"}),
        get_client(sync_client=True) as client,
    ):
        yield client


def lmforge(home, *arguments):
    return answered(home.project, *arguments)


def start(prefect, deployment, **parameters):
    found = prefect.read_deployment_by_name(deployment)
    return prefect.create_flow_run_from_deployment(found.id, parameters=parameters).id


def state_after(prefect, run_id, *names):
    """The state of a run once it has one of these names."""
    end = time.monotonic() + WAIT_SECONDS
    while (state := prefect.read_flow_run(run_id).state).name not in names:
        # Prefect fails a run whose time is over, and says so in its own words for a moment.
        unanswered = state.name == "Failed" and "Expired" in names
        assert time.monotonic() < end and (unanswered or not state.is_final()), state
        time.sleep(0.5)
    return state


def asked_about(prefect):
    """Name to id of the runs that were started to ask a person."""
    return {run.name: run.id for run in prefect.read_flow_runs() if "gate" in run.parameters}


def ask(home, prefect, hours=72.0):
    """A version that needs a person, and the run that waits for one."""
    version = add_version(home)
    gate = judge(home, version, against=None, policy=ASKED.model_copy(update={"approval_hours": hours})).gate
    run_id = start(prefect, "approval/person", model=NAME, version=version, gate=gate)
    state_after(prefect, run_id, "Suspended")
    return version, run_id


def state_of(home, name, version):
    return tracking.client(home).get_model_version(name, version).tags[registry.STATE_TAG]


def test_each_version_that_needs_a_person_waits_in_a_run_of_its_own(home, prefect):
    nightly = start(prefect, "pipeline/nightly", recipe="recipes/tiny.yaml")
    state_after(prefect, nightly, "Completed")
    (listed,) = lmforge(home, "runs")["runs"]
    assert listed["status"] == "finished"
    waiting = asked_about(prefect)
    assert sorted(waiting) == ["tiny-one/1", "tiny-two/1"]
    for run_id in waiting.values():
        assert state_after(prefect, run_id, "Suspended").is_paused()
    assert [registry.aliases(home, name) for name in ("tiny-one", "tiny-two")] == [{"challenger": "1"}] * 2


def test_the_next_night_is_not_held_up_and_asks_nothing_twice(home, prefect):
    waiting = asked_about(prefect)
    state_after(prefect, start(prefect, "pipeline/nightly", recipe="recipes/tiny.yaml"), "Completed")
    assert asked_about(prefect) == waiting
    assert {prefect.read_flow_run(run_id).state.name for run_id in waiting.values()} == {"Suspended"}


def test_the_verb_lets_the_run_go_on(home, prefect):
    answer = lmforge(home, "approve", "tiny-one/1", "--reason", "looked at the slices")
    assert "tiny-one/1" in answer["flow_run"]
    state = state_after(prefect, asked_about(prefect)["tiny-one/1"], "Promoted")
    assert state.message.startswith("tiny-one/1 is in production; approved by ")
    history = lmforge(home, "history", "tiny-one", "--verify")
    (entry,) = history["entries"]
    assert (history["champion"], entry["gate"], history["problems"]) == ("1", answer["gate"], [])
    assert entry["why"].startswith(f"approved by {answer['who']}: looked at the slices; first version: ")


def test_the_form_promotes_and_wants_a_name_and_a_reason(home, prefect):
    run_id = asked_about(prefect)["tiny-two/1"]
    for wrong in (None, {"answer": "approve", "reason": "fine"}, {"answer": "yes", "reason": "fine", "who": "ann"}):
        assert prefect.resume_flow_run(run_id, run_input=wrong).status == "REJECT"
    answer = {"answer": "approve", "reason": "the numbers hold", "who": "ann"}
    assert prefect.resume_flow_run(run_id, run_input=answer).status == "ACCEPT"
    state_after(prefect, run_id, "Promoted")
    (entry,) = lmforge(home, "history", "tiny-two")["entries"]
    assert entry["why"].startswith("approved by ann: the numbers hold; ")
    assert state_of(home, "tiny-two", "1") == "champion"


def test_a_no_keeps_the_version_out(home, prefect):
    version, run_id = ask(home, prefect)
    prefect.resume_flow_run(run_id, run_input={"answer": "reject", "reason": "too slow", "who": "bob"})
    assert state_after(prefect, run_id, "Rejected").message == f"{NAME}/{version} was rejected by bob: too slow"
    assert (state_of(home, NAME, version), registry.aliases(home, NAME)) == ("rejected", {})


def test_an_answer_to_an_earlier_evaluation_is_refused(home, prefect):
    version, run_id = ask(home, prefect)
    judge(home, version, against=None, value=0.9, policy=ASKED)
    prefect.resume_flow_run(run_id, run_input={"answer": "approve", "reason": "fine", "who": "ann"})
    assert "it was judged again since" in state_after(prefect, run_id, "Failed").message
    assert registry.aliases(home, NAME) == {}


def test_an_unanswered_run_ends_and_says_how_to_go_on(home, prefect):
    version, run_id = ask(home, prefect, hours=5 / 3600)
    assert "lmforge approve NAME/VERSION --reason" in state_after(prefect, run_id, "Expired").message
    assert state_of(home, NAME, version) == "challenger"
