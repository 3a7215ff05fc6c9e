"""A notice is an event of the Prefect server that an automation acts on."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta

import pytest

from lmforge.release.notice import Notice
from tasks.notifying import notify

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]


def test_an_automation_is_triggered_by_a_promotion(prefect_server, home):
    from prefect import flow
    from prefect.automations import Automation
    from prefect.client.orchestration import get_client
    from prefect.events.actions import DoNothing
    from prefect.events.schemas.automations import EventTrigger, Posture
    from prefect.events.worker import EventsWorker

    Automation(
        name="tell-the-team",
        trigger=EventTrigger(
            expect={"lmforge.model.promoted"}, match={"prefect.resource.id": "lmforge.model.reviews"},
            posture=Posture.Reactive, threshold=1, within=timedelta(0),
        ),
        actions=[DoNothing()],
    ).create()  # fmt: skip
    notice = Notice(
        what="promoted", time=datetime.now(UTC), model="reviews", version="2", champion="2", who="ann@box",
        why="improved", gate="f" * 64, entry=2,
    )  # fmt: skip

    @flow
    def promoting():
        assert notify(home, notice, {})

    def events(name: str) -> list[dict]:
        with get_client(sync_client=True) as client:
            answer = client.request("POST", "/events/filter", json={"filter": {"event": {"name": [name]}}})
        return answer.json()["events"]

    # A trigger is known a moment after its automation was made, so the news is told until it has been heard.
    end = time.monotonic() + 120
    while not events("prefect.automation.triggered"):
        assert time.monotonic() < end, "no automation was triggered"
        promoting()
        EventsWorker.drain_all()
        time.sleep(2)
    (found, *_) = events("lmforge.model.promoted")
    assert found["resource"]["prefect.resource.id"] == "lmforge.model.reviews"
    assert found["resource"]["lmforge.version"] == "2"
    assert (found["payload"]["why"], found["payload"]["entry"]) == ("improved", 2)
    assert any(one["prefect.resource.id"].startswith("prefect.flow-run.") for one in found["related"])


def test_a_server_that_is_gone_holds_nobody_up(home, monkeypatch, caplog):
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:1/api")
    notice = Notice(
        what="refused", time=datetime.now(UTC), model="reviews", version="3", champion="2", who="ann@box", why="worse"
    )
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING):
        assert notify(home, notice, {})
    assert time.monotonic() - begun < 5
