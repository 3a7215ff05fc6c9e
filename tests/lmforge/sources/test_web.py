"""HTTP with bounds: redirects, sizes, times, types, and which failures may pass."""

import time

import pytest

from lmforge.errors import InputError
from lmforge.sources.addresses import ALLOWED_HOSTS
from lmforge.sources.web import UnreachableError, open_url


def get(url, stamps=None, *, hosts=("127.0.0.1",), max_bytes=1_000, timeout_seconds=5.0):
    limits = {"max_bytes": max_bytes, "timeout_seconds": timeout_seconds}
    with open_url(url, stamps or {}, known_hosts=hosts, **limits) as answer:
        return (None if answer.chunks is None else b"".join(answer.chunks)), answer.stamps


def test_content_and_stamps_come_back(site):
    url = site.answer("/a.jsonl", b"{}\n", ETag='"1"', Last_Modified="Sun, 22 Nov 2026 00:00:00 GMT")
    assert get(url + "?q=1") == (b"{}\n", {"etag": '"1"', "last-modified": "Sun, 22 Nov 2026 00:00:00 GMT"})
    assert site.asked[0][0] == "/a.jsonl?q=1"


def test_what_did_not_change_is_not_sent(site):
    url = site.answer("/a.jsonl", status=304)
    stamps = {"etag": '"1"', "last-modified": "Sun, 22 Nov 2026 00:00:00 GMT"}
    assert get(url, stamps) == (None, stamps)
    headers = site.asked[0][1]
    assert (headers["if-none-match"], headers["if-modified-since"]) == ('"1"', stamps["last-modified"])


def test_redirects_on_the_host_are_followed(site):
    site.answer("/a", status=302, Location="/b")
    site.answer("/b", status=301, Location=f"{site.address}/c.txt")
    site.answer("/c.txt", b"there")
    assert get(f"{site.address}/a")[0] == b"there"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("file:///etc/passwd", "scheme 'file' is refused"),
        ("http://169.254.169.254/latest/meta-data/", "leads to another host, 169.254.169.254"),
        ("http://localhost:1/x", "leads to another host, localhost"),
        ("//a.org/x", "leads to another host, a.org"),
        ("s3://bucket/key", "redirects to s3://bucket/key, which is refused"),
        ("http://me:secret@127.0.0.1/x", "user and password"),
        ("/loop", "redirects more than 5 times"),
    ],
)
def test_redirects_elsewhere_are_refused(site, target, words):
    url = site.answer("/loop", status=302, Location=target)
    with pytest.raises(InputError, match=words):
        get(url)


def test_a_redirect_to_the_metadata_of_a_cloud_machine_is_refused_even_if_named(site):
    url = site.answer("/a", status=307, Location="http://169.254.169.254/latest/meta-data/")
    with pytest.raises(InputError, match=r"169\.254\.169\.254, which is no public address"):
        get(url, hosts=("127.0.0.1", "169.254.169.254"))


def test_loopback_is_refused_unless_the_environment_allows_it(site, monkeypatch):
    url = site.answer("/a.txt", b"x")
    monkeypatch.delenv(ALLOWED_HOSTS)
    with pytest.raises(InputError, match=r"127\.0\.0\.1 is 127\.0\.0\.1, which is no public address"):
        get(url)
    assert site.asked == []


@pytest.mark.parametrize("length", ["2000", None])
def test_what_is_too_large_is_refused_whatever_its_header_says(site, length):
    def send(handler):
        handler.send_response(200)
        if length:
            handler.send_header("Content-Length", length)
        handler.end_headers()
        handler.wfile.write(b"x" * 2000)

    site.pages["/big.txt"] = send
    with pytest.raises(InputError, match="larger than 1,000 bytes; raise `max_bytes`"):
        get(f"{site.address}/big.txt")


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"])
def test_a_server_that_trickles_is_left(site, begun):
    def send(handler):
        try:
            handler.wfile.write(begun)
            for _ in range(60):
                handler.wfile.write(b"a")
                time.sleep(0.05)
        except OSError:
            handler.close_connection = True

    site.pages["/slow.txt"] = send
    start = time.monotonic()
    with pytest.raises(UnreachableError, match=r"took more than 0\.4 s"):
        get(f"{site.address}/slow.txt", timeout_seconds=0.4)
    assert time.monotonic() - start < 20


def test_a_connection_that_breaks_off_is_no_end_of_the_file(site):
    url = site.answer("/half.txt", b"half", Content_Length="900")
    with pytest.raises(UnreachableError, match="broke off after 4 bytes"):
        get(url)


@pytest.mark.parametrize("media_type", ["text/html", "text/HTML; charset=utf-8", "application/xhtml+xml"])
def test_a_web_page_instead_of_data_is_refused(site, media_type):
    url = site.answer("/a.jsonl", b"<html>sign in</html>", Content_Type=media_type)
    with pytest.raises(InputError, match="a web page instead of data"):
        get(url)
    assert get(site.answer("/a.html", b"<html>", Content_Type=media_type))[0] == b"<html>"


@pytest.mark.parametrize(
    ("status", "error"),
    [(404, InputError), (403, InputError), (206, InputError), (429, UnreachableError), (503, UnreachableError)],
)
def test_some_failures_may_pass_and_others_will_not(site, status, error):
    url = site.answer("/a.txt", status=status)
    with pytest.raises(error, match=f"the server answers {status}"):
        get(url + "?token=secret")


def test_nobody_there_may_pass(site):
    site.stop()
    with pytest.raises(UnreachableError, match="refused"):
        get(f"{site.address}/a.txt")


def test_errors_where_the_bytes_are_used_are_not_called_errors_of_the_network(site):
    url = site.answer("/a.txt", b"x")
    limits = {"max_bytes": 10, "timeout_seconds": 5}
    with pytest.raises(OSError, match="disk full"), open_url(url, {}, known_hosts=["127.0.0.1"], **limits):
        raise OSError("disk full")
