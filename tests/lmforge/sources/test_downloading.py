"""Copies of URLs: complete or absent, fetched again only when they changed, and still there when the network is not."""

import hashlib
import logging

import fsspec
import pytest

from lmforge.errors import InputError
from lmforge.sources.downloading import fetch, place_of

LIMITS = {"max_bytes": 1_000, "timeout_seconds": 5.0}


def test_a_copy_is_whole_and_ends_like_the_url(site, tmp_path):
    url = site.answer("/data/reviews.v1.jsonl.gz", b"content")
    path = fetch(url + "?signature=x", tmp_path, **LIMITS)
    assert (path.name, path.read_bytes()) == ("reviews.v1.jsonl.gz", b"content")
    assert path == place_of(url + "?signature=x", tmp_path) != place_of(url, tmp_path)
    assert sorted(one.name for one in path.parent.iterdir()) == [".reviews.v1.jsonl.gz.json", "reviews.v1.jsonl.gz"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://a.org/%2e%2e/%2e%2e/etc/passwd", "passwd"),
        ("https://a.org/..%2f..%2fx.jsonl", "x.jsonl"),
        ("https://a.org/.hidden", "hidden"),
        ("https://a.org/%00a%0ab.csv", "_a_b.csv"),
        ("https://a.org/" + "x" * 500 + ".csv", "x" * 196 + ".csv"),
        ("https://a.org/", "index"),
    ],
)
def test_names_of_copies_stay_in_the_directory(tmp_path, url, name):
    place = place_of(url, tmp_path)
    assert place.name == name
    assert place.parent.parent == tmp_path


def test_an_unchanged_file_is_asked_about_and_not_sent_again(site, tmp_path):
    url = site.answer("/a.txt", b"one", ETag='"1"')
    path = fetch(url, tmp_path, **LIMITS)
    site.answer("/a.txt", status=304)
    assert fetch(url, tmp_path, **LIMITS).read_bytes() == b"one"
    assert site.asked[1][1]["if-none-match"] == '"1"'
    site.answer("/a.txt", b"two", ETag='"2"')
    assert fetch(url, tmp_path, **LIMITS) == path
    assert path.read_bytes() == b"two"


def test_a_copy_that_was_altered_is_fetched_whole(site, tmp_path):
    url = site.answer("/a.txt", b"one", ETag='"1"')
    fetch(url, tmp_path, **LIMITS).write_bytes(b"0ne")
    assert fetch(url, tmp_path, **LIMITS).read_bytes() == b"one"
    assert "if-none-match" not in site.asked[1][1]


def test_a_pinned_copy_is_never_asked_about_again(site, tmp_path):
    url = site.answer("/a.txt", b"one")
    digest = hashlib.sha256(b"one").hexdigest()
    for pin in (digest, digest.upper()):
        assert fetch(url, tmp_path, sha256=pin, **LIMITS).read_bytes() == b"one"
    assert len(site.asked) == 1


def test_another_content_than_the_pin_is_refused_and_not_kept(site, tmp_path):
    url = site.answer("/a.txt", b"evil")
    with pytest.raises(InputError, match=r"its SHA-256 is .* not the 0000"):
        fetch(url, tmp_path, sha256="0" * 64, **LIMITS)
    assert not place_of(url, tmp_path).exists()
    assert list(place_of(url, tmp_path).parent.iterdir()) == []


def test_offline_the_earlier_copy_is_used_with_a_warning(site, tmp_path, caplog):
    url = site.answer("/a.txt", b"one")
    path = fetch(url, tmp_path, **LIMITS)
    site.stop()
    with caplog.at_level(logging.WARNING, "lmforge.stage"):
        assert fetch(url, tmp_path, **LIMITS) == path
    assert "the earlier copy is used" in caplog.text
    with pytest.raises(InputError, match="not the 1111"):
        fetch(url, tmp_path, sha256="1" * 64, **LIMITS)


def test_offline_without_a_copy_stops(site, tmp_path):
    url = site.answer("/a.txt", b"one")
    site.stop()
    with pytest.raises(InputError, match=r"cannot be fetched .*, and there is no earlier copy"):
        fetch(url + "?token=secret", tmp_path, **LIMITS)


@pytest.mark.parametrize(("content", "length"), [(b"x" * 2_000, "2000"), (b"x" * 10, "900")])
def test_nothing_half_fetched_is_left(site, tmp_path, content, length):
    url = site.answer("/a.txt", content, Content_Length=length)
    with pytest.raises(InputError):
        fetch(url, tmp_path, **LIMITS)
    assert list(place_of(url, tmp_path).parent.iterdir()) == []


def test_redirects_lead_only_to_hosts_of_the_recipe(site, tmp_path):
    url = site.answer("/a.txt", status=302, Location=f"{site.address.replace('127.0.0.1', 'localhost')}/b.txt")
    site.answer("/b.txt", b"there")
    with pytest.raises(InputError, match="add it to `allowed_hosts`"):
        fetch(url, tmp_path, **LIMITS)


def test_an_object_store_is_read_and_asked_whether_it_changed(tmp_path):
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/a.txt", b"one")
    path = fetch("memory://bucket/a.txt", tmp_path, **LIMITS)
    assert path.read_bytes() == b"one"
    first = path.stat().st_mtime_ns
    assert fetch("memory://bucket/a.txt", tmp_path, **LIMITS).stat().st_mtime_ns == first
    store.pipe("/bucket/a.txt", b"another")
    assert fetch("memory://bucket/a.txt", tmp_path, **LIMITS).read_bytes() == b"another"


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("memory://bucket/none.txt", "not there, or not for you"),
        ("memory://bucket/big.txt", "larger than 1,000 bytes"),
        ("memory://bucket/directory", "is a directory"),
        ("oci://bucket/x", "fsspec cannot open it"),
        ("file:///etc/passwd", "scheme 'file' is refused"),
    ],
)
def test_what_a_store_does_not_give_says_why(tmp_path, url, words):
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/big.txt", b"x" * 2_000)
    store.pipe("/bucket/directory/x", b"x")
    with pytest.raises(InputError, match=words):
        fetch(url, tmp_path, **LIMITS)
