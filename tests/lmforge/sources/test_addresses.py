"""Which URLs and addresses may be asked, and how URLs are shown."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.sources.addresses import ALLOWED_HOSTS, check_url, connect, is_web, safe_url


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/x"


@pytest.mark.parametrize(
    "url", ["https://a.org/x?y=1", "http://a.org:8080/", "s3://bucket/key", "gs://b/k", "memory://b/k"]
)
def test_urls_that_may_be_asked(url):
    assert check_url(url).geturl() == url
    assert is_web(check_url(url).scheme) == url.startswith("http")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("file:///etc/passwd", "scheme 'file' is refused"),
        ("local:///etc/passwd", "scheme 'local' is refused"),
        ("/etc/passwd", "scheme '' is refused"),
        ("zip::https://a.org/x", "scheme 'zip' is refused"),
        ("s3://a/x::file:///etc", "scheme 's3' is refused"),
        ("javascript:alert(1)", "scheme 'javascript' is refused"),
        ("https:///x", "not a complete URL"),
        ("https://a.org/a b", "not a complete URL"),
        ("https://a.org\\@b.org/", "not a complete URL"),
        ("https://a.org/" + "x" * 3000, "not a complete URL"),
        ("https://[::1", "is no URL"),
        ("https://a.org:port/", "is no URL"),
        ("https://me:secret@a.org/", "user and password in a URL"),
        ("sftp://a.org/x", "name the host in LMFORGE_ALLOWED_HOSTS"),
    ],
)
def test_urls_that_may_not(url, words):
    with pytest.raises(InputError, match=words) as caught:
        check_url(url)
    assert "secret" not in str(caught.value)


def test_what_is_shown_of_a_url_holds_no_signature_and_no_user():
    assert safe_url("https://me:secret@a.org:1/x?signature=abc#y") == "https://a.org:1/x"


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "localhost", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "0.0.0.0", "100.64.0.1",
        "224.0.0.1", "255.255.255.255", "[::1]", "[::]", "[fe80::1]", "[fd00::1]", "[::ffff:127.0.0.1]",
        "[64:ff9b::a00:1]", "[2002:7f00:1::]", "2130706433", "0x7f.1", "127.1",
    ],
)  # fmt: skip
def test_private_addresses_are_refused_in_every_spelling(host):
    url = f"http://{host}/"
    with pytest.raises((InputError, socket.gaierror)) as caught:
        connect(url, {check_url(url).hostname}, 1)
    if isinstance(caught.value, InputError):
        assert "no public address" in str(caught.value)


def test_a_host_that_the_environment_allows_is_connected_to(listener, monkeypatch):
    port = check_url(listener).port
    for allowed in ("127.0.0.1", f"other.org, 127.0.0.1:{port}"):
        monkeypatch.setenv(ALLOWED_HOSTS, allowed)
        with connect(listener, {"127.0.0.1"}, 5) as connection:
            assert connection.getpeername()[1] == port
    monkeypatch.setenv(ALLOWED_HOSTS, "127.0.0.1:1")
    with pytest.raises(InputError, match=f"name the host in {ALLOWED_HOSTS}"):
        connect(listener, {"127.0.0.1"}, 5)


def test_a_host_that_the_recipe_does_not_name_is_refused(listener):
    with pytest.raises(InputError, match=r"leads to another host, 127\.0\.0\.1; add it to `allowed_hosts`"):
        connect(listener, {"a.org"}, 1)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_an_input_error(text):
    try:
        assert check_url(f"https://{text}").hostname
    except InputError as error:
        assert str(error).isprintable()
