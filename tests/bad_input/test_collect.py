"""Collect under bad input: stop, quarantine or repair, as the tables say, and nothing half-made is left."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lmforge.errors import InputError
from lmforge.sources.addresses import ALLOWED_HOSTS
from lmforge.sources.collecting import collect
from lmforge.sources.files import FilesSource
from lmforge.text.records import Record, Rejected, scan
from tests.bad_input import archive_cases, collect_cases
from tests.bad_input.project import Case, Project, Quarantines, Stops, check_quarantined, rejected, source

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("case", [*collect_cases.CASES, *archive_cases.CASES], ids=lambda case: case.id)
def test_a_file(project: Project, case: Case) -> None:
    project.write(case.file, case.content)
    given = source(case.file, **(case.settings or {}))
    wanted = case.wanted
    if isinstance(wanted, Stops):
        with pytest.raises(InputError, match=wanted.says) as caught:
            project.collect(given)
        assert caught.value.exit_code == wanted.exit_code
        assert str(caught.value).replace("\n", "").isprintable()
        project.check_nothing_published("collect")
        return
    artifact = project.collect(given)
    if isinstance(wanted, Quarantines):
        check_quarantined(artifact, wanted)
        assert artifact.manifest.counts.kept >= 1
        return
    assert rejected(artifact) == []
    assert tuple(scan(artifact.path).collect()["text"]) == wanted.texts
    assert artifact.manifest.facts["repairs"] == (wanted.repairs or {})
    if wanted.unused is not None:
        assert artifact.manifest.facts["unused_columns"] == {case.file: wanted.unused}


def test_one_bad_file_of_many_stops_before_anything_of_the_stage_is_seen(project: Project) -> None:
    project.write("a.jsonl", '{"text": "good"}\n')
    project.write("b.jsonl", "")
    with pytest.raises(InputError, match=r"0 records in b\.jsonl"):
        project.collect(source("*.jsonl"))
    project.check_nothing_published("collect")


class Written(FilesSource):
    """A source to whose file somebody writes: before it is opened, before its first record or before its second."""

    when: str

    def read(self, path: Path, source: str) -> Iterator[Record | Rejected]:
        moments = ("opened", "first", "second")
        if self.when == "opened":
            path.write_text(OTHER)
        for moment, item in zip(moments[1:], super().read(path, source), strict=False):
            if self.when == moment:
                path.write_text(OTHER)
            yield item


OTHER = '{"text": "other"}\n' * 3


@pytest.mark.parametrize("when", ["opened", "first", "second"])
def test_a_file_that_changes_while_it_is_read_stops(project: Project, when: str) -> None:
    project.write("data.jsonl", '{"text": "good"}\n' * 2)
    out = project.root / "out"
    out.mkdir()
    with pytest.raises(InputError, match=r"data\.jsonl: changed while it was read"):
        collect([Written(path="data.jsonl", when=when)], out, root=project.root, workshop=project.workshop)
    project.check_nothing_published("collect.units")


def test_a_disk_that_cannot_be_read_stops_with_its_reason(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    # The kernel answers EIO for the first page of any process, which is never mapped.
    monkeypatch.setenv("LMFORGE_DATA_ROOTS", "/proc/self")
    with pytest.raises(InputError, match="/mem: cannot be read: Input/output error"):
        project.collect(source("/proc/self/mem", format="text"))
    project.check_nothing_published("collect")


URLS = {
    "a local file": ("file:///etc/passwd", "scheme 'file' is refused"),
    "a chain of file systems": ("s3::file:///etc/passwd", "is refused"),
    "the metadata of a cloud machine": ("http://169.254.169.254/latest/a.jsonl", "which is no public address"),
    "the same, mapped to IPv6": ("http://[::ffff:169.254.169.254]/a.jsonl", "which is no public address"),
    "this machine": ("http://127.0.0.1:9/a.jsonl", "which is no public address"),
    "a password": ("https://user:pass@example.org/a.jsonl", "user and password in a URL are refused"),
}


@pytest.mark.parametrize(("url", "says"), URLS.values(), ids=URLS)
def test_an_address_that_must_not_be_asked_stops(project: Project, url: str, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        project.collect({"kind": "url", "url": url})
    assert "pass@" not in str(caught.value)
    project.check_nothing_published("collect")


ANSWERS = {
    "a redirect to a file": (302, {"Location": "file:///etc/passwd"}, b"", "scheme 'file' is refused"),
    "a redirect to a cloud's metadata": (302, {"Location": "http://169.254.169.254/a"}, b"", "leads to another host"),
    "more than is allowed": (200, {}, b"x" * 5000, "larger than 1,000 bytes"),
    "a page instead of data": (200, {"Content-Type": "text/html"}, b"<html>", "sends a web page instead of data"),
    "nothing there": (404, {}, b"", "404"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_must_not_be_taken_stops(
    project: Project, monkeypatch: pytest.MonkeyPatch, answer: tuple[int, dict[str, str], bytes, str]
) -> None:
    status, headers, content, says = answer

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Silent."""

    monkeypatch.setenv(ALLOWED_HOSTS, "127.0.0.1")
    monkeypatch.setenv("LMFORGE_HOME", str(project.root / "home"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/a.jsonl"
        with pytest.raises(InputError, match=says):
            project.collect({"kind": "url", "url": url, "max_bytes": 1000})
        server.shutdown()
    project.check_nothing_published("collect")
    assert [path for path in (project.root / "home").rglob("*") if path.is_file()] == []


def test_a_dataset_that_brings_a_program_is_not_run(project: Project) -> None:
    project.write("data/script.py", "raise SystemExit('run')\n")
    with pytest.raises(InputError, match=r"not a dataset directory.*save_to_disk"):
        project.collect({"kind": "dataset", "path": "data"})


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "sub/a.arrow", ".."])
def test_a_dataset_whose_files_lie_elsewhere_stops(project: Project, name: str) -> None:
    project.write("data/state.json", json.dumps({"_data_files": [{"filename": name}]}))
    with pytest.raises(InputError, match="names no files beside it"):
        project.collect({"kind": "dataset", "path": "data"})
    project.check_nothing_published("collect")
