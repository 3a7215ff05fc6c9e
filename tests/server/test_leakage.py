"""Test examples that stand in the training text: copies are taken out, quotations make the gate refuse and name them.

The data are three files of our own. Training then holds longer texts that quote test examples, as the answers of a
mailing list do; no stage removes those, because the two texts are no near duplicates.
"""

import json

import pytest

from tests.command import started
from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]
MODEL = "tiny-section"
NUM_LEAKED = 5


def write_data(directory, rows):
    """Write three splits and return the ids of the test examples that training quotes."""
    parts = {"train": rows[:280], "validation": rows[280:320], "test": rows[320:]}
    frames = {row["section"]: row["description"] for row in parts["train"]}
    long = [row for row in parts["test"] if len(row["description"].split()) > 20]
    copied, quoted = long[:NUM_LEAKED], long[NUM_LEAKED : 2 * NUM_LEAKED]
    copies = [row | {"id": f"copy-{row['id']}", "description": f" {row['description'].upper()} "} for row in copied]
    answers = [
        row | {"id": f"answer-{row['id']}", "description": f"{frames[row['section']]}\n\n{row['description'].upper()}"}
        for row in quoted
    ]
    parts["train"] = parts["train"] + copies + answers
    for name, part in parts.items():
        (directory / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))
    return sorted(row["id"] for row in quoted)


@pytest.fixture(scope="module")
def leaked(tmp_path_factory):
    """A project that was run once on such data: its command line, the document of the run, the ids that are quoted."""
    project = tmp_path_factory.mktemp("leakage") / "project"
    recipe = make_project(project, num_documents=400)
    data = project / "data"
    ids = write_data(data, [json.loads(line) for line in (data / "descriptions.jsonl").read_text().splitlines()])
    files = "train: data/train.jsonl, validation: data/validation.jsonl, test: data/test.jsonl"
    text = recipe.read_text().replace("      {path: data/descriptions.jsonl,", f"      {{{files},")
    recipe.write_text(text.replace("max_steps: 12", "max_steps: 6"))

    def lmforge(*arguments):
        done = started(project, *arguments, "--json")
        assert done.stdout, done.stderr
        return done.returncode, json.loads(done.stdout)

    code, document = lmforge("run", "recipes/tiny.yaml")
    assert code == 0, document
    return lmforge, document, ids, project


def test_copies_are_taken_out_of_training_whatever_their_case_and_space(leaked):
    _, document, _, _ = leaked
    (labelled,) = (stage for stage in document["stages"] if stage["name"] == "label-section")
    assert labelled["counts"]["reasons"]["in_evaluation_set"] == NUM_LEAKED
    assert "near_evaluation_set" not in labelled["counts"]["reasons"]


def test_quotations_make_the_gate_refuse_and_name_the_examples(leaked):
    lmforge, document, ids, project = leaked
    (task,) = document["tasks"]
    assert (task["verdict"], task["promoted"], task["champion"]) == ("refused", False, None)
    (gate,) = (project / ".lmforge" / "mlflow-artifacts").rglob("gate.json")
    decision = json.loads(gate.read_text())
    (rule,) = (rule for rule in decision["rules"] if rule["name"] == "overlap")
    assert (decision["first_failure"], rule["observed"]) == ("overlap", pytest.approx(NUM_LEAKED / 80))
    assert all(one in rule["words"] for one in ids)
    assert json.loads(gate.with_name("facts.json").read_text())["overlapping_ids"] == ids
    code, answer = lmforge("promote", f"{MODEL}/1")
    assert (code, answer["exit_code"]) == (3, 3)
    assert f"{MODEL} version 1 is not promoted: rule overlap: refused" in answer["error"]
    code, history = lmforge("history", MODEL)
    assert (code, history["champion"], history["entries"]) == (0, None, [])
