"""Paths from recipes and data stay inside the project."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.errors import InputError
from lmforge.paths import DATA_ROOTS, expand, inside


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(DATA_ROOTS, raising=False)
    project = tmp_path / "project"
    (project / "data" / "deep").mkdir(parents=True)
    for name in ("b.jsonl", "a.jsonl", "notes.txt", ".hidden.jsonl", "deep/c.jsonl"):
        (project / "data" / name).write_text(name)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.jsonl").write_text("secret")
    return project


def refusal(root: Path, path: str) -> str:
    with pytest.raises(InputError) as caught:
        inside(root, path)
    return str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        "data/a.jsonl",
        "./data/a.jsonl",
        "data/../data/a.jsonl",
        "data/not-yet.jsonl",
        "data",
        ".",
        "./~x",
        "データ/\u3000.txt",
    ],
)
def test_what_lies_in_the_project_is_given_as_an_absolute_path(root: Path, path: str) -> None:
    found = inside(root, path)
    assert found.is_absolute()
    assert found == (root / path).resolve()


def test_an_absolute_path_into_the_project_is_fine(root: Path) -> None:
    assert inside(root, str(root / "data" / "a.jsonl")) == root / "data" / "a.jsonl"


@pytest.mark.parametrize(
    "path",
    [
        "..",
        "../outside/secret.jsonl",
        "data/../../outside/secret.jsonl",
        "/etc/passwd",
        "/",
        "nowhere/../../outside",
        "../project-too/x",
    ],
)
def test_what_leads_out_is_refused_with_the_way_out(root: Path, path: str) -> None:
    message = refusal(root, path)
    assert f"path '{path}' leads to /" in message
    assert "copy the data into the project, or list its directory in LMFORGE_DATA_ROOTS" in message


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("~/data.jsonl", "starts with ~, which is not expanded"),
        ("~root/x", "starts with ~"),
        ("file:///etc/passwd", "is a URL; download it into the project"),
        ("FILE:/etc/passwd", "is a URL"),
        ("file:etc", "is a URL"),
        ("https://example.org/x.jsonl", "is a URL"),
        ("s3://bucket/x", "is a URL"),
        ("\\\\server\\share\\x", "is a Windows or network path; write it relative to the project and with /"),
        ("//server/share/x", "is a Windows or network path"),
        ("..\\outside\\secret.jsonl", "is a Windows or network path"),
        ("C:\\data\\x", "is a Windows or network path"),
        ("c:/data/x", "is a Windows or network path"),
        ("data/a\0.jsonl", "path 'data/a\\x00.jsonl' holds a control character"),
        ("data/\x1b[2J", "holds a control character"),
        ("data/\udcff", "bytes that are not UTF-8"),
        ("", "a path is empty"),
        ("  ", "a path is empty"),
    ],
)
def test_spellings_that_are_no_path_of_the_project(root: Path, path: str, expected: str) -> None:
    message = refusal(root, path)
    assert expected in message
    assert message.isprintable()


def test_links_count_by_where_they_lead(root: Path) -> None:
    (root / "out.jsonl").symlink_to(root.parent / "outside" / "secret.jsonl")
    (root / "shelf").symlink_to(root.parent / "outside")
    (root / "in.jsonl").symlink_to(root / "data" / "notes.txt")
    for path in ("out.jsonl", "shelf/secret.jsonl", "shelf/not-yet", "shelf"):
        assert "outside of the project" in refusal(root, path)
    assert inside(root, "in.jsonl") == root / "in.jsonl"


def test_a_link_that_leads_to_itself_is_an_input_error(root: Path) -> None:
    (root / "loop").symlink_to(root / "loop")
    assert "cannot be resolved" in refusal(root, "loop")


def test_a_project_that_is_itself_a_link(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)
    assert inside(link, "data/a.jsonl") == root / "data" / "a.jsonl"


def test_data_roots_open_further_directories_only(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = root.parent / "outside"
    (root / "shelf").symlink_to(outside)
    monkeypatch.setenv(DATA_ROOTS, os.pathsep.join(["", str(outside), "/nowhere"]))
    assert inside(root, "../outside/secret.jsonl") == outside / "secret.jsonl"
    assert inside(root, "shelf/secret.jsonl") == outside / "secret.jsonl"
    assert expand(root, f"{outside}/*.jsonl") == [outside / "secret.jsonl"]
    assert "leads to" in refusal(root, "../other")
    assert "leads to" in refusal(root, "/etc/passwd")


def names(root: Path, pattern: str) -> list[str]:
    return [path.relative_to(root).as_posix() for path in expand(root, pattern)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/a.jsonl", ["data/a.jsonl"]),
        ("data/*.jsonl", ["data/a.jsonl", "data/b.jsonl"]),
        ("data/[b-z].jsonl", ["data/b.jsonl"]),
        ("data/?.jsonl", ["data/a.jsonl", "data/b.jsonl"]),
        ("data/**/*.jsonl", ["data/a.jsonl", "data/b.jsonl", "data/deep/c.jsonl"]),
        ("**/*.jsonl", ["data/a.jsonl", "data/b.jsonl", "data/deep/c.jsonl"]),
        ("data/**", ["data/a.jsonl", "data/b.jsonl", "data/deep/c.jsonl", "data/notes.txt"]),
        ("**/deep/**/c*", ["data/deep/c.jsonl"]),
        ("data/*/c.jsonl", ["data/deep/c.jsonl"]),
        ("*/deep/*", ["data/deep/c.jsonl"]),
        ("data/*", ["data/a.jsonl", "data/b.jsonl", "data/notes.txt"]),
        ("data/.hid*", ["data/.hidden.jsonl"]),
        ("./data/../data/a*", ["data/a.jsonl"]),
    ],
)
def test_globs_give_files_in_order(root: Path, pattern: str, expected: list[str]) -> None:
    assert names(root, pattern) == expected


def test_a_name_that_looks_like_a_pattern_is_found_as_a_name(root: Path) -> None:
    (root / "data" / "[a].jsonl").touch()
    assert names(root, "data/[a].jsonl") == ["data/[a].jsonl"]


def test_many_double_stars_and_links_in_a_circle_take_no_time(root: Path) -> None:
    (root / "data" / "deep" / "up").symlink_to(root)
    start = time.perf_counter()
    assert names(root, "**/" * 30 + "*.jsonl") == ["data/a.jsonl", "data/b.jsonl", "data/deep/c.jsonl"]
    assert time.perf_counter() - start < 2


def test_hidden_directories_are_not_searched(root: Path) -> None:
    (root / ".git").mkdir()
    (root / ".git" / "x.jsonl").touch()
    assert ".git/x.jsonl" not in names(root, "**/*.jsonl")
    assert names(root, ".git/*.jsonl") == [".git/x.jsonl"]


def test_a_file_that_is_also_linked_is_given_once(root: Path) -> None:
    (root / "data" / "z.jsonl").symlink_to("a.jsonl")
    assert names(root, "data/*.jsonl") == ["data/a.jsonl", "data/b.jsonl"]


def test_a_glob_that_meets_a_link_to_the_outside_is_refused(root: Path) -> None:
    (root / "data" / "z.jsonl").symlink_to(root.parent / "outside" / "secret.jsonl")
    with pytest.raises(InputError, match="outside of the project"):
        expand(root, "data/*.jsonl")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (
            "data/a.json",
            "looked in data: it holds a.jsonl, b.jsonl, deep, notes.txt; did you mean a.jsonl?",
        ),
        ("dta/a.jsonl", "looked in .: it holds data; did you mean data?"),
        ("data/*.csv", "no file matches 'data/*.csv'; looked in data: it holds a.jsonl"),
        ("data/a.jsonl/x", "looked in data: it holds a.jsonl"),
        ("data/deep", "'data/deep' is a directory; name its files, for example 'data/deep/*'"),
        ("data/" + "x" * 300, "no file matches"),
        ("data/*/../../data/*", "has `..` after a wildcard"),
        ("../outside/*", "leads to"),
        ("/etc/*", "leads to"),
        ("~/*", "starts with ~"),
    ],
)
def test_no_match_says_what_is_there(root: Path, pattern: str, expected: str) -> None:
    with pytest.raises(InputError) as caught:
        expand(root, pattern)
    assert expected in str(caught.value)


def test_an_empty_directory_and_a_pipe_hold_no_files(root: Path) -> None:
    (root / "empty").mkdir()
    with pytest.raises(InputError, match="looked in empty: it is empty"):
        expand(root, "empty/*")
    os.mkfifo(root / "empty" / "pipe")
    with pytest.raises(InputError, match="it holds pipe"):
        expand(root, "empty/*")


PIECES = [
    "..",
    ".",
    "/",
    "//",
    "~",
    "\\",
    "C:",
    "file:",
    "data",
    "a.jsonl",
    "*",
    "**",
    "[",
    "]",
    "?",
    "\0",
    "x" * 300,
    "é",
    "\udc80",
    " ",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(PIECES)).map("/".join) | st.lists(st.sampled_from(PIECES)).map("".join) | st.text())
def test_no_spelling_leads_out_or_crashes(path: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory).resolve() / "project"
        (root / "data").mkdir(parents=True)
        (root / "data" / "a.jsonl").touch()
        (root.parent / "secret").touch()
        (root / "out").symlink_to(root.parent)
        for function in (inside, lambda root, path: expand(root, path)[0]):
            try:
                assert function(root, path).is_relative_to(root)
            except InputError as error:
                assert str(error).isprintable()
