"""What a run in a terminal says; the runs that wait are tested on a server."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

from tasks.approvals import Approval
from tasks.register import Registered
from tasks.waiting import ask_for_approval, resume_waiting

REGISTERED = Registered(name="reviews", version="2", reused=False)
DECISION = {"gate": "f" * 64, "summary": "improved", "needs_approval": True}


def test_a_run_in_a_terminal_does_not_wait_and_says_the_commands():
    decision = ask_for_approval.fn(REGISTERED, DECISION)
    commands = 'lmforge approve reviews/2 --reason "...", then lmforge promote reviews/2'
    assert decision == DECISION | {"next": f"needs a person: {commands}"}


def test_nobody_is_asked_where_nobody_is_needed():
    decision = DECISION | {"needs_approval": False}
    assert ask_for_approval.fn(REGISTERED, decision) == decision


def test_a_server_that_is_gone_is_a_warning_without_its_password(monkeypatch, caplog):
    address = "http://ann:secret@127.0.0.1:1/api"
    monkeypatch.setenv("PREFECT_API_URL", address)
    approval = Approval(gate="f" * 64, who="ann", why="fine", time=datetime.now(UTC))
    settings = {PREFECT_API_URL: address, PREFECT_CLIENT_MAX_RETRIES: 0}
    with temporary_settings(settings), caplog.at_level(logging.WARNING):
        assert resume_waiting(approval) is None
    assert "the Prefect server 127.0.0.1:1/api was not told" in caplog.text
    assert "secret" not in caplog.text
