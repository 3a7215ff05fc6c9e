"""What a notice says, how it is signed, and which addresses it is never sent to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from lmforge.errors import InputError
from lmforge.release.ledger import next_entry
from lmforge.release.notice import SECRET, URL, Notice, signed_headers, webhook_of

NOW = datetime(2026, 3, 1, 14, 30, tzinfo=UTC)
SECRET_TEXT = "0123456789abcdef0123456789abcdef"


def entry(kind="promote", to_version="2"):
    return next_entry([], model="reviews", kind=kind, who="ann@box", why="better by ü", to_version=to_version, now=NOW)


def test_it_says_what_the_ledger_says():
    notice = Notice.of_change(entry())
    assert json.loads(notice.body) == {
        "type": "lmforge.model.promoted",
        "timestamp": "2026-03-01T14:30:00+00:00",
        "data": {
            "model": "reviews", "version": "2", "champion": "2", "who": "ann@box", "why": "better by ü", "gate": None,
            "entry": 1,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "event"),
    [("promote", "promoted"), ("rollback", "rolled_back"), ("undone", "undone"), ("found", "moved")],
)
def test_every_kind_of_entry_is_an_event(kind, event):
    assert Notice.of_change(entry(kind, None)).event == f"lmforge.model.{event}"


def test_the_same_news_has_the_same_id_and_other_news_another():
    assert Notice.of_change(entry()).id == Notice.of_change(entry()).id
    assert Notice.of_change(entry()).id != Notice.of_change(entry(to_version="3")).id


def test_the_signature_is_that_of_the_specification():
    """The example of Standard Webhooks' own documentation."""
    body = b'{"test": 2432232314}'
    headers = signed_headers(
        "msg_p5jXN8AQM9LWM0D4loKWxJek", body, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        datetime.fromtimestamp(1614265330, UTC),
    )  # fmt: skip
    assert headers["webhook-id"] == "msg_p5jXN8AQM9LWM0D4loKWxJek"
    assert headers["webhook-timestamp"] == "1614265330"
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_plain_secret_is_taken_as_it_is():
    digest = hmac.new(SECRET_TEXT.encode(), f"id.{int(NOW.timestamp())}.body".encode(), hashlib.sha256).digest()
    headers = signed_headers("id", b"body", SECRET_TEXT, NOW)
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


@pytest.mark.parametrize("url", ["https://hooks.example/T0/B0", "http://127.0.0.1:8080/x", "http://[::1]:8080/"])
def test_https_and_loopback_are_allowed(url):
    webhook = webhook_of({URL: url, SECRET: SECRET_TEXT})
    assert webhook.url.get_secret_value() == url
    assert webhook.is_loopback == url.startswith("http:")


def test_neither_the_path_nor_the_secret_is_ever_shown():
    webhook = webhook_of({URL: "https://hooks.example/T0/B0", SECRET: SECRET_TEXT})
    shown = f"{webhook!r} {webhook} {webhook.host} {webhook.model_dump_json()}"
    assert SECRET_TEXT not in shown
    assert "B0" not in shown


def test_without_an_address_there_is_none():
    assert webhook_of({}) is None
    assert webhook_of({URL: " ", SECRET: "short"}) is None


@pytest.mark.parametrize(
    ("url", "secret", "reason"),
    [
        ("http://hooks.example/x", SECRET_TEXT, "http to hooks.example could be read"),
        ("http://127.0.0.1.evil.example/x", SECRET_TEXT, "could be read"),
        ("ftp://hooks.example/x", SECRET_TEXT, "no URL of a web server"),
        ("https://hooks.example/a b", SECRET_TEXT, "no URL of a web server"),
        ("https://[x", SECRET_TEXT, "no URL; write"),
        ("https://a:b@hooks.example/x", SECRET_TEXT, "user and password in it are refused"),
        ("https://hooks.example/x", "", "shorter than 24 bytes; make one"),
        ("https://hooks.example/x", "whsec_c2hvcnQ=", "shorter than 24 bytes"),
        ("https://hooks.example/x", "whsec_%%%", "must be base64"),
    ],
)
def test_what_is_not_safe_is_refused(url, secret, reason):
    with pytest.raises(InputError, match=reason) as caught:
        webhook_of({URL: url, SECRET: secret})
    assert "/x" not in str(caught.value)
