"""A server that gives no answer is told from one that says no."""

from __future__ import annotations

import socket

import pytest
from mlflow.exceptions import MlflowException

from lmforge.errors import InputError, LmforgeError, RefusedError
from lmforge.home import Home
from tasks import registry, tracking
from tasks.reaching import OutagesTold, is_outage, require_server


@pytest.fixture
def nowhere(home, monkeypatch):
    """A home whose tracking server is a port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:secret@127.0.0.1:{one.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        yield home


def test_no_answer_is_an_outage_however_it_was_wrapped(nowhere):
    with pytest.raises(MlflowException) as caught:
        registry.version_of(nowhere, "reviews/1")
    assert is_outage(caught.value)
    said = r"^MLflow at 127\.0\.0\.1:\d+ gave no answer; .* same command again"
    with pytest.raises(LmforgeError, match=said) as told, OutagesTold():
        try:
            registry.aliases(nowhere, "reviews")
        except MlflowException as error:
            raise RefusedError("it has no aliases") from error
    assert type(told.value) is LmforgeError
    assert "secret" not in str(told.value)


def test_an_answer_that_says_no_is_none(home):
    with pytest.raises(InputError, match="no model is registered yet") as caught, OutagesTold():
        registry.version_of(home, "reviews/1")
    assert not is_outage(caught.value)
    assert not is_outage(None)
    assert not is_outage(OSError("of a disk"))


def test_what_has_nothing_to_do_with_a_server_is_left_alone():
    with pytest.raises(RefusedError, match="not good enough"), OutagesTold():
        raise RefusedError("not good enough")
    with OutagesTold():
        pass


def test_a_server_that_takes_no_connection_is_told_at_once(nowhere):
    with pytest.raises(LmforgeError, match=r"MLflow at 127\.0\.0\.1:\d+ takes no connection; start it, or unset"):
        registry.require_model(nowhere, "reviews")


def test_a_store_that_is_a_file_is_never_away(home):
    assert Home.find().tracking_uri.startswith("sqlite:")
    require_server(home)
    assert tracking.client(home).search_registered_models() == []
