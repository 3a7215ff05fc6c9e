"""Clean under bad input: what is repaired, masked and tagged, and what goes, with its reason and without a trace."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmforge.errors import InputError
from lmforge.text.records import scan
from tests.bad_input.clean_cases import CASES
from tests.bad_input.project import Case, Keeps, Project, Quarantines, check_quarantined, rejected

pytestmark = pytest.mark.timeout(60)
# With enough sentences and words for every filter.
GOOD = [
    f"The {one} committee met on {day} to talk about the old {thing}. It is of wood and iron, and that is a pity. "
    "They have asked for money, but no one has it to give! Nobody could tell them what to do with it in the end. "
    "So the committee went home late, with a bad feeling about the matter."
    for one, day, thing in (("first", "Tuesday", "bridge"), ("second", "Friday", "railway station"))
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_document(project: Project, case: Case) -> None:
    text = str(case.content)
    artifact = project.clean([*GOOD, text], **(case.settings or {}))
    facts = artifact.manifest.facts
    if isinstance(case.wanted, Quarantines):
        check_quarantined(artifact, case.wanted)
        assert scan(artifact.path).collect()["text"].to_list() == GOOD
        return
    wanted = case.wanted
    assert isinstance(wanted, Keeps)
    assert rejected(artifact) == []
    rows = scan(artifact.path).collect().to_dicts()
    assert tuple(row["text"] for row in rows[2:]) == wanted.texts
    assert facts["repairs"] == (wanted.repairs or {})
    assert facts["tags"] == (wanted.tags or {})
    assert rows[2]["repaired"] == (rows[2]["text"] != text)


@pytest.mark.parametrize("case", [case for case in CASES if case.row == "secrets"], ids=lambda case: case.id)
def test_a_secret_is_nowhere_in_what_is_published(project: Project, case: Case) -> None:
    text = str(case.content)
    artifact = project.clean([*GOOD, text])
    word = max(text.split(), key=len).encode()
    for path in artifact.path.rglob("*"):
        assert not path.is_file() or word not in path.read_bytes(), path
    (entry,) = rejected(artifact)
    assert entry["excerpt"] == ""


@pytest.mark.parametrize("case", [case for case in CASES if case.row == "personal_data"], ids=lambda case: case.id)
def test_personal_data_is_masked_in_the_quarantine_too(project: Project, case: Case) -> None:
    artifact = project.clean([*GOOD, str(case.content)], cleaning={"max_words": 70, "min_words": 30})
    (entry,) = rejected(artifact)
    assert isinstance(case.wanted, Keeps)
    assert (entry["reason"], entry["excerpt"]) == ("too_short", case.wanted.texts[0])


def test_a_corpus_of_one_text_stops(project: Project) -> None:
    with pytest.raises(InputError, match=r"after de-duplication 1 of 300 documents are left.*`text` names the right"):
        project.clean(GOOD[:1] * 300)
    project.check_nothing_published("clean")


def test_a_label_with_a_terminal_escape_is_escaped_where_it_is_told(project: Project) -> None:
    rows = [{"text": f"{GOOD[0]} {n}", "label": "ab"[n % 2]} for n in range(40)]
    rows += [{"text": f"{GOOD[1]} {n}", "label": "a\x1b[31m"} for n in range(2)]
    project.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError) as caught:
        project.label(path="data.jsonl", labels=["c"])
    assert "\\x1b[31m" in str(caught.value) and "\x1b" not in str(caught.value)
