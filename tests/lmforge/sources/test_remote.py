"""Sources by URL and from the hub: fetched by `prepare`, read like local files, refused while offline."""

import gzip
import json

import pytest
from datasets import Dataset
from pydantic import ValidationError

from lmforge.errors import InputError
from lmforge.sources.remote import ONLINE, HubSource, UrlSource
from lmforge.text.records import Record


def url_source(url, **options):
    return UrlSource(kind="url", url=url, **options)


def hub_source(**options):
    return HubSource(**{"kind": "hub", "name": "org/reviews", "revision": "abc123"} | options)


def test_a_url_is_fetched_then_read_with_the_options_of_files(site, home):
    lines = b"".join(json.dumps({"body": text, "n": text[0]}).encode() + b"\n" for text in ("one", "two"))
    url = site.answer("/a.jsonl.gz", gzip.compress(lines))
    source = url_source(url + "?signature=secret", text="body", id="n")
    with pytest.raises(InputError, match="not fetched yet; run `lmforge run` while online") as caught:
        source.files(home.project)
    assert "secret" not in str(caught.value)
    source.prepare(home.project)
    (path,) = source.files(home.project)
    assert path.is_relative_to(home.path / "downloads")
    name = source.name_of(path, home.project)
    assert list(source.read(path, name)) == [Record("one", url, 1, "o"), Record("two", url, 2, "t")]


def test_limits_of_the_recipe_reach_the_download(site, home):
    url = site.answer("/a.txt", b"x" * 100)
    for options, words in [({"max_bytes": 10}, "larger than 10 bytes"), ({"sha256": "0" * 64}, "not the 0000")]:
        with pytest.raises(InputError, match=words):
            url_source(url, **options).prepare(home.project)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/etc/passwd", "https://u:p@a.org/x", "zip::https://a.org/x"])
def test_a_recipe_cannot_name_other_urls(url):
    with pytest.raises(ValidationError, match=r"refused|user and password"):
        url_source(url)


def test_the_hub_is_not_asked_while_offline(home, monkeypatch):
    monkeypatch.delenv(ONLINE, raising=False)
    with pytest.raises(InputError, match=f"fetching from the hub is off; set {ONLINE}=1"):
        hub_source().prepare(home.project)
    with pytest.raises(InputError, match=f"not fetched yet; run `{ONLINE}=1 lmforge run`"):
        hub_source().files(home.project)


def test_a_hub_that_cannot_be_reached_stops_and_leaves_nothing(home, monkeypatch):
    # The library itself is offline in tests, which it says in the same way as a refusing hub.
    monkeypatch.setenv(ONLINE, "1")
    with pytest.raises(InputError, match="org/reviews: the hub gives no such dataset"):
        hub_source().prepare(home.project)
    downloads = home.path / "downloads"
    assert not downloads.exists() or not any(downloads.rglob("*"))


def test_a_directory_of_that_name_is_not_taken_for_a_dataset_of_the_hub(home, monkeypatch, tmp_path):
    monkeypatch.setenv(ONLINE, "1")
    (tmp_path / "org" / "reviews").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="a directory of this name is here"):
        hub_source().prepare(home.project)


def test_a_fetched_dataset_is_read_without_the_hub(home, monkeypatch):
    monkeypatch.delenv(ONLINE, raising=False)
    place = home.path / "downloads" / "hub" / "org--reviews--abc123----train"
    Dataset.from_dict({"text": ["one", "two"]}).save_to_disk(place)
    source = hub_source()
    source.prepare(home.project)
    (path,) = source.files(home.project)
    name = source.name_of(path, home.project)
    assert name == "org/reviews@abc123/train/data-00000-of-00001.arrow"
    assert [item.text for item in source.read(path, name)] == ["one", "two"]


def test_no_two_datasets_share_a_place(home):
    place = home.path / "downloads" / "hub"
    names = [("a--b", "main"), ("a/b", "main"), ("a", "b--main"), ("a", "main")]
    messages = set()
    for name, revision in names:
        one = hub_source(name=name, revision=revision)
        messages.add(str(one._place(home.project).relative_to(place)))
    assert len(messages) == len(names)


@pytest.mark.parametrize(
    "options", [{"name": "../x"}, {"name": "a/b/c"}, {"name": "/etc"}, {"revision": "../x"}, {"split": "a/b"}]
)
def test_names_of_the_hub_are_no_paths(options):
    with pytest.raises(ValidationError, match="should match pattern"):
        hub_source(**options)
