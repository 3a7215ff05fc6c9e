"""A whole run is traced to its source file, made again to the last byte, and a changed byte of its input is named."""

import json
import subprocess

import pytest

from tests.command import started
from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(540)]
MODEL = "tiny-section"


@pytest.fixture(scope="module")
def lmforge(tmp_path_factory):
    """Calls `lmforge` in a project that is a repository and has been run once; gives code, document and messages."""
    project = tmp_path_factory.mktemp("lineage") / "project"
    recipe = make_project(project, num_documents=240)
    recipe.write_text(recipe.read_text().replace("max_steps: 12", "max_steps: 6"))
    (project / ".gitignore").write_text(".lmforge/\n")
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "."], [*identity, "commit", "-q", "-m", "first"]):
        subprocess.run(["git", *command], cwd=project, check=True)

    def call(*arguments):
        done = started(project, *arguments)
        return done.returncode, done.stdout, done.stderr

    call.project = project
    code, printed, messages = call("run", "recipes/tiny.yaml", "--json")
    assert code == 0, messages
    call.first = json.loads(printed)
    return call


def test_lineage_reaches_from_the_version_to_the_source_file(lmforge):
    code, printed, messages = lmforge("lineage", f"{MODEL}/1", "--json")
    assert code == 0, messages
    document = json.loads(printed)
    made = {stage["name"]: (stage["key"], stage["fingerprint"]) for stage in lmforge.first["stages"]}
    assert {stage["name"]: (stage["key"], stage["fingerprint"]) for stage in document["stages"]} == made
    assert document["run_id"] == lmforge.first["run_id"]
    assert len(document["code"]["commit"]) == 40
    assert document["code"]["dirty"] is False
    (source,) = document["sources"]
    assert source["name"] == "data/descriptions.jsonl"
    assert source["stages"] == ["label-section", "collect"]
    assert source["collected"]["num_records"] == 240
    assert document["missing"] == []


def test_documents_are_listed_by_id(lmforge, tmp_path):
    code, printed, _ = lmforge("lineage", f"{MODEL}/1", "--documents")
    rows = [json.loads(line) for line in printed.splitlines()]
    counts = {stage["name"]: stage["counts"] for stage in lmforge.first["stages"]}
    assert code == 0
    assert {row["stage"] for row in rows} == {"clean", "label-section"}
    num_clean = sum(row["stage"] == "clean" for row in rows)
    assert 0 < num_clean < counts["clean"]["kept"] + counts["clean"]["repaired"], "validation text is not learned from"
    output = tmp_path / "documents.jsonl"
    code, printed, _ = lmforge("lineage", f"{MODEL}/1", "--documents", "--output", str(output), "--json")
    assert json.loads(printed) == {"num_documents": len(rows), "file": str(output)}
    assert [json.loads(line) for line in output.read_text().splitlines()] == rows
    code, _, messages = lmforge("lineage", f"{MODEL}/1", "--documents", "--json")
    assert (code, "--output" in messages) == (2, True)


def test_reproduction_is_equal_file_by_file_and_a_changed_byte_is_named(lmforge):
    code, printed, messages = lmforge("reproduce", f"{MODEL}/1", "--json")
    document = json.loads(printed)
    assert (code, document["status"]) == (0, "equal"), document["first_difference"]
    assert "finetune-section" in messages, "progress is shown"
    assert document["code"]["same"] is True
    states = {one["name"]: {file["name"]: file["state"] for file in one["files"]} for one in document["stages"]}
    assert list(states) == [stage["name"] for stage in lmforge.first["stages"]]
    assert states["pretrain"]["model/model.safetensors"] == "equal"
    assert states["finetune-section"]["model/model.safetensors"] == "equal"
    assert document["released"]["state"] == "equal"
    assert not list((lmforge.project / ".lmforge" / "runs").glob("*"))[1:], "the second run has a home of its own"

    path = lmforge.project / "data" / "descriptions.jsonl"
    content = path.read_bytes()
    path.write_bytes(content.replace(b"game", b"gane", 1))
    code, printed, _ = lmforge("reproduce", f"{MODEL}/1")
    assert code == 1
    assert "source     different  data/descriptions.jsonl" in printed
    assert "first difference in label-section" in printed
    path.write_bytes(content)
