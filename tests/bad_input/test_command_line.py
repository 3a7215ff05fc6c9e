"""Bad input as a person meets it: `lmforge run --json` ends with an exit code, one JSON document and no traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.tiny import make_project

pytestmark = [pytest.mark.server, pytest.mark.timeout(300)]
ROOT = Path(__file__).parents[2]
RECIPE = "recipes/tiny.yaml"
DATA = "data/descriptions.jsonl"


class Run(NamedTuple):
    """How the data is spoilt, what the command gets besides, and how it must end."""

    content: bytes | None
    overrides: tuple[str, ...]
    exit_code: int
    says: str
    stage: str


LABELS = b"".join(b'{"id": %d, "description": "text number %d", "section": "net"}\n' % (n, n) for n in range(90))
RUNS = {
    "a recipe with a near miss": Run(
        None, ("pretraining.learning_rte=1",), 2, "did you mean learning_rate", "label-section"
    ),
    "a hostile name": Run(None, ("name=../x",), 2, "name", "label-section"),
    "an empty file": Run(b"", (), 2, f"0 records in {DATA}: it is empty", "label-section"),
    "one label": Run(LABELS, ("tasks.section.data.labels=[]",), 2, "a classifier needs two labels", "label-section"),
    "a promise that is broken": Run(
        None, ("expectations.raw_corpus.min_documents=5000",), 3, "expectations.raw_corpus.min_documents", "collect"
    ),
}  # fmt: skip


def lmforge(project: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    environment = {name: value for name, value in os.environ.items() if name != "LMFORGE_HOME"}
    answer = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=project,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.returncode, json.loads(answer.stdout), answer.stderr


@pytest.mark.parametrize("case", RUNS.values(), ids=RUNS)
def test_a_run_ends_with_a_code_a_document_and_no_artifact(tmp_path: Path, case: Run) -> None:
    project = tmp_path / "project"
    make_project(project, num_documents=400)
    if case.content is not None:
        (project / DATA).write_bytes(case.content)
    options = [part for override in case.overrides for part in ("--set", override)]
    code, document, said = lmforge(project, "run", RECIPE, *options, "--json")
    assert (code, document["exit_code"], document["status"]) == (case.exit_code, case.exit_code, "failed")
    assert case.says in document["error"] and case.says in said
    assert "Traceback" not in said
    store = project / ".lmforge" / "store"
    assert [path for path in (store / case.stage).glob("[!.]*") if path.is_dir()] == []
    assert list(store.glob("*/.staging/*")) == []
    assert {path.name for path in project.iterdir()} <= {".lmforge", "data", "prefect.yaml", "recipes"}
