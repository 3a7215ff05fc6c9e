"""Labels under bad input: too few, too rare, misspelt, contradictory, leaking into the text or between the splits."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import polars as pl
import pytest

from expectations.labelled_examples import labelled_examples
from lmforge.artifacts import Artifact
from lmforge.errors import ContractError, InputError
from lmforge.text.labelling import label_table
from tasks.validation import scan_labelled, validate
from tests.bad_input.project import Project, rejected

pytestmark = pytest.mark.timeout(60)
WORDS = [
    f"{a}{b}" for a in ("ka", "lo", "mi", "ne", "su", "ta", "wo", "ze") for b in ("bar", "den", "fil", "gor", "hun")
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def examples(labels: Sequence[str], *, seed: int = 0) -> list[dict[str, Any]]:
    """One of different texts, about nothing, for each label."""
    draw = random.Random(seed)
    return [{"id": f"e{draw.random()}", "text": " ".join(draw.choices(WORDS, k=20)), "label": one} for one in labels]


def labelled(project: Project, rows: list[dict[str, Any]], **data: Any) -> Artifact:
    project.write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    return project.label(path="data.jsonl", id="id", **data)


def judged(project: Project, artifact: Artifact, **thresholds: Any) -> str:
    """What the gate says as it refuses these examples."""
    table = label_table(artifact.manifest.facts["label_counts"])
    with pytest.raises(ContractError) as caught:
        validate(
            labelled_examples(**thresholds),
            scan_labelled(artifact.path),
            facts={"repetitive_share": 0.0},
            report=project.root / "report",
            details=dict.fromkeys(("least_examples_per_label", "majority_share"), table),
        )
    assert caught.value.exit_code == 3
    return str(caught.value)


class Labels(NamedTuple):
    """Labels that stop the stage; `says` is the message."""

    rows: Sequence[str]
    says: str
    row: str
    settings: Mapping[str, Any] = MappingProxyType({})


STOPPING = {
    "one class only": Labels(
        ["a"] * 200, "every training example is labelled a; a classifier needs two", "class_balance"
    ),
    "no validation example": Labels(["a", "b"] * 5, "no (train|validation|test) example is left", "class_balance"),
    "case": Labels(
        ["Spam", "ham", "spam"] * 50, r"'Spam' \(50\), 'spam' \(50\); write 'Spam' for all", "label_spelling"
    ),
    "space": Labels(
        ["spam ", "ham", "spam", "spam"] * 40, "differ in case or space only.*write 'spam'", "label_spelling"
    ),
    "a label of the recipe is nowhere": Labels(
        ["spam", "ham"] * 50,
        "label 'spma' .* is nowhere.*did you mean 'spam'",
        "unseen_label",
        {"labels": ["spma", "ham"]},
    ),
    "all one text each label": Labels([""] * 20, "0 records|no .* example is left", "class_balance"),
}


@pytest.mark.parametrize("case", STOPPING.values(), ids=STOPPING)
def test_labels_that_cannot_teach_stop(project: Project, case: Labels) -> None:
    with pytest.raises(InputError, match=case.says):
        labelled(project, examples(case.rows), **case.settings)
    project.check_nothing_published("label-task")


def test_a_label_of_the_test_split_that_training_lacks_stops(project: Project) -> None:
    for name, labels in {"train": ["a", "b"] * 20, "validation": ["a", "b"] * 9, "test": ["a", "new"] * 9}.items():
        rows = examples(labels, seed=len(name))
        project.write(f"{name}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(InputError, match="training never shows new, which test asks for"):
        project.label(train="train.jsonl", validation="validation.jsonl", test="test.jsonl")
    project.check_nothing_published("label-task")


def test_a_class_of_ten_thousand_to_one_is_refused_with_a_table(project: Project) -> None:
    artifact = labelled(project, examples(["common"] * 3000 + ["rare"] * 2))
    said = judged(project, artifact)
    assert "share of the most frequent label: got 0.999" in said
    assert "train + validation + test of rare: 2 + 0 + 0; common: " in said


def test_a_class_with_less_than_k_examples_is_refused_with_a_table(project: Project) -> None:
    artifact = labelled(project, examples(["a"] * 200 + ["b"] * 200 + ["few"] * 15))
    few = artifact.manifest.facts["label_counts"]["few"]
    assert sum(few) == 15
    said = judged(project, artifact, min_examples_per_label=10)
    assert "examples of the rarest label in any split: got " in said
    assert f"few: {few[0]} + {few[1]} + {few[2]}; " in said
    assert "expectations.labelled_examples.min_examples_per_label" in said


def test_the_table_is_short_and_safe() -> None:
    table = label_table({f"l{number}\x1b": (number, number, number) for number in range(100)})
    assert table.startswith("train + validation + test of l0\\x1b: 0 + 0 + 0; ")
    assert table.endswith("; and 88 more labels")


def _balanced(change: Callable[[int, dict[str, Any]], dict[str, Any]]) -> list[dict[str, Any]]:
    rows = examples([f"c{number % 4}" for number in range(1600)])
    random.Random(5).shuffle(rows)
    return [row | change(number, row) for number, row in enumerate(rows)]


def _label_in_text(number: int, row: dict[str, Any]) -> dict[str, Any]:
    return {"text": f"{row['text']} label: {row['label'][1]}"}


def _named_by_label(number: int, row: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{row['label']}-{number}"}


LEAKS = {
    "none": (lambda number, row: {}, None),
    "label: 3 in the text": (_label_in_text, "single_token_gain"),
    "ids named by label": (_named_by_label, "id_only_gain"),
    "ids in blocks": (lambda number, row: {"id": int(row["label"][1]) * 10_000 + number}, "id_only_gain"),
    "a file sorted by label": (None, "order_only_gain"),
}


@pytest.mark.parametrize("leak", LEAKS.values(), ids=LEAKS)
def test_a_label_that_can_be_told_without_reading_shows_in_the_facts(project: Project, leak: Any) -> None:
    change, wanted = leak
    rows = _balanced(change or (lambda number, row: {}))
    rows = rows if change else sorted(rows, key=lambda row: row["label"])
    facts = labelled(project, rows).manifest.facts
    gains = {name: facts[name] for name in ("id_only_gain", "order_only_gain", "single_token_gain")}
    assert {name for name, gain in gains.items() if gain > 0.9} == ({wanted} if wanted else set())
    assert {gain for gain in gains.values() if gain <= 0.9} == {0.0}
    assert facts["single_token"] == ("after 'label'" if wanted == "single_token_gain" else "")


def test_near_duplicates_between_the_splits_leave_training_and_name_what_stays(project: Project) -> None:
    rows = examples(["a", "b"] * 300)
    for row in rows:
        row["text"] = " ".join([row["text"], *random.Random(row["id"]).choices(WORDS, k=80)])
    copies = [row | {"id": f"copy of {row['id']}", "text": f"{row['text']} indeed"} for row in rows]
    project.write("test.jsonl", "".join(json.dumps(row) + "\n" for row in rows[:100]))
    project.write("validation.jsonl", "".join(json.dumps(row) + "\n" for row in [*rows[100:200], *copies[:10]]))
    project.write(
        "train.jsonl", "".join(json.dumps(row) + "\n" for row in [*rows[200:], *copies[10:20], *copies[100:110]])
    )
    artifact = project.label(train="train.jsonl", validation="validation.jsonl", test="test.jsonl", id="id")
    entries = rejected(artifact)
    assert artifact.manifest.counts.reasons == {"near_evaluation_set": 30}
    assert {(entry["source"], entry["detail"].split(": like ")[0].removeprefix("copy of ")) for entry in entries} == {
        *(("validation.jsonl", row["id"]) for row in rows[:10]),
        *(("train.jsonl", row["id"]) for row in [*rows[10:20], *rows[100:110]]),
    }
    assert all(
        entry["detail"].split(": like ")[0] == f"copy of {entry['detail'].split(': like ')[1]}" for entry in entries
    )
    assert pl.read_parquet(artifact.path / "test.parquet")["id"].to_list() == [row["id"] for row in rows[:100]]


BROKEN = {
    "missing_label": {"text": "a text of some words"},
    "missing_text": {"label": "a"},
    "empty": {"text": " \u200b ", "label": "a"},
    "not_a_string": {"text": "a text of some words", "label": ["a"]},
    "lone_surrogate": {"text": "a text of \ud800 some words", "label": "a"},
    "secret": {"text": "our key is AKIA" + "QWERTYUIOPASDFGH and so on", "label": "a"},
    "duplicate_id": {"text": "a text of some words", "label": "a", "id": "twice"},
}


@pytest.mark.parametrize("reason", BROKEN)
def test_a_broken_example_is_quarantined(project: Project, reason: str) -> None:
    rows = [*examples(["a", "b"] * 100), {"text": "one more text", "label": "b", "id": "twice"}, BROKEN[reason]]
    (entry,) = rejected(labelled(project, rows))
    assert (entry["reason"], entry["source"], entry["line"]) == (reason, "data.jsonl", 202)


def test_a_text_with_two_labels_goes_altogether(project: Project) -> None:
    rows = [
        *examples(["a", "b"] * 100),
        {"text": "A disputed text", "label": "a"},
        {"text": "a  disputed TEXT", "label": "b"},
    ]
    assert [entry["reason"] for entry in rejected(labelled(project, rows))] == ["conflicting_label"] * 2
