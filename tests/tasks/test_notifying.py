"""A real receiver on loopback that checks the signature; what it does wrong is a warning and never fails the work."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from lmforge.errors import RefusedError
from lmforge.release.notice import SECRET, URL, Notice
from tasks import registry
from tasks.notifying import notify
from tasks.promote import _tell
from tasks.releasing import promote_version
from tests.registries import NAME, add_version, home_at, judge, promote, roll_back, whole

KEY = "a secret of more than 24 bytes"
NOTICE = Notice(
    what="refused", time=datetime(2026, 3, 1, tzinfo=UTC), model="reviews", version="3", champion="2", who="ann@box",
    why="rule minimum", gate="f" * 64,
)  # fmt: skip


@contextmanager
def receiver(*answers: int, slow: float = 0.0, location: str | None = None):
    """Answers with one status after the other, the last one again and again; yields its address and what came."""
    came: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            came.append((dict(self.headers), self.rfile.read(int(self.headers["content-length"]))))
            time.sleep(slow)
            self.send_response(answers[min(len(came), len(answers)) - 1])
            if location:
                self.send_header("location", location)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/T0/B0", came
    server.shutdown()
    server.server_close()


def verified(headers, body) -> dict:
    """What a receiver does: the signature over id, time and body, compared in constant time; an old one is refused."""
    found = {name.lower(): value for name, value in headers.items()}
    identity, seconds = found["webhook-id"], found["webhook-timestamp"]
    assert abs(time.time() - int(seconds)) < 300
    digest = hmac.new(KEY.encode(), f"{identity}.{seconds}.".encode() + body, hashlib.sha256).digest()
    assert hmac.compare_digest(found["webhook-signature"], "v1," + base64.b64encode(digest).decode())
    assert found["content-type"] == "application/json"
    return json.loads(body)


def test_a_receiver_can_verify_what_came(home):
    with receiver(204) as (url, came):
        assert notify(home, NOTICE, {URL: url, SECRET: KEY})
    ((headers, body),) = came
    document = verified(headers, body)
    assert (document["type"], document["data"]["version"]) == ("lmforge.model.refused", "3")
    with pytest.raises(AssertionError):
        verified(headers, body.replace(b'"3"', b'"4"'))


def test_an_overloaded_receiver_gets_the_same_notice_again(home):
    with receiver(503, 200) as (url, came):
        assert notify(home, NOTICE, {URL: url, SECRET: KEY})
    assert len(came) == 2
    assert {headers["webhook-id"] for headers, _ in came} == {NOTICE.id}


@pytest.mark.parametrize(("status", "location"), [(400, None), (302, "http://127.0.0.1:1/elsewhere")])
def test_a_receiver_that_does_not_want_it_is_a_warning(home, caplog, status, location):
    with caplog.at_level(logging.WARNING, "lmforge.notice"), receiver(status, location=location) as (url, came):
        assert not notify(home, NOTICE, {URL: url, SECRET: KEY})
    assert len(came) == 1
    assert f"reviews version 3 was refused was not taken by 127.0.0.1: it answered {status}" in caplog.text


def test_a_slow_receiver_holds_nobody_up(home, caplog):
    begun = time.monotonic()
    with caplog.at_level(logging.WARNING, "lmforge.notice"), receiver(200, slow=2) as (url, _):
        assert not notify(home, NOTICE, {URL: url, SECRET: KEY}, limit_seconds=0.2)
        assert time.monotonic() - begun < 1.5
    assert "no answer within 0.2 seconds" in caplog.text


def test_nobody_there_is_a_warning(home, caplog):
    with receiver(200) as (url, _):
        pass
    with caplog.at_level(logging.WARNING, "lmforge.notice"):
        assert not notify(home, NOTICE, {URL: url, SECRET: KEY}, limit_seconds=1)
    assert "was not taken by 127.0.0.1" in caplog.text


@pytest.mark.parametrize("environment", [{URL: "http://hooks.example/T0/B0", SECRET: KEY}, {URL: "https://x/T0/B0"}])
def test_what_is_not_safe_is_not_sent(home, caplog, environment):
    with caplog.at_level(logging.WARNING, "lmforge.notice"):
        assert not notify(home, NOTICE, environment)
    assert "was not posted: LMFORGE_WEBHOOK_" in caplog.text


def test_no_log_holds_the_secret_or_the_path(home, caplog):
    with caplog.at_level(logging.DEBUG, "lmforge"), receiver(500) as (url, _):
        notify(home, NOTICE, {URL: url, SECRET: KEY}, limit_seconds=1)
    assert caplog.text
    assert KEY not in caplog.text
    assert "B0" not in caplog.text


def test_without_a_webhook_nothing_is_wrong(home):
    assert notify(home, NOTICE, {})


def test_a_refusal_is_told_but_not_that_of_a_dry_run(tmp_path, monkeypatch):
    home = home_at(tmp_path / "home")
    home.path.mkdir()
    add_version(home)
    verdict = judge(home, "1", against=None, value=0.1)
    with receiver(200) as (url, came):
        monkeypatch.setenv(URL, url)
        monkeypatch.setenv(SECRET, KEY)
        for dry_run in (True, False):
            with pytest.raises(RefusedError):
                promote_version(home, f"{NAME}/1", dry_run, whole)
        _tell(SimpleNamespace(home=home), verdict, None)
        waiting = verdict.decision.model_copy(update={"promote": True, "needs_approval": True})
        _tell(SimpleNamespace(home=home), verdict._replace(decision=waiting), None)
        allowed = verdict.decision.model_copy(update={"promote": True})
        _tell(SimpleNamespace(home=home), verdict._replace(decision=allowed), None)
    told = [verified(*one) for one in came]
    assert [one["type"].rsplit(".", 1)[1] for one in told] == ["refused", "refused", "approval_needed"]
    assert told[0]["data"]["why"].startswith("reviews version 1 is not promoted: rule minimum")
    assert told[1]["data"]["gate"] == verdict.gate
    assert {one["data"]["champion"] for one in told} == {None}


def test_every_change_of_the_ledger_is_told_once(tmp_path, monkeypatch):
    home = home_at(tmp_path / "home")
    home.path.mkdir()
    with receiver(200) as (url, came):
        monkeypatch.setenv(URL, url)
        monkeypatch.setenv(SECRET, KEY)
        for _ in range(2):
            add_version(home)
        judge(home, "1", against=None)
        promote(home, "1")
        promote(home, "1")
        judge(home, "2", against="1")
        promote(home, "2")
        roll_back(home, "1")
        judge(home, "2", against=None)
        with pytest.raises(RefusedError):
            promote(home, "2")
        registry.set_alias(home, NAME, registry.CHAMPION, "2")
        roll_back(home, "1")
    told = [verified(*one) for one in came]
    assert [(one["type"].rsplit(".", 1)[1], one["data"]["version"], one["data"]["entry"]) for one in told] == [
        ("promoted", "1", 1), ("promoted", "2", 2), ("rolled_back", "1", 3),
        ("moved", "2", 4), ("rolled_back", "1", 5),
    ]  # fmt: skip
    assert {one["data"]["model"] for one in told} == {NAME}
