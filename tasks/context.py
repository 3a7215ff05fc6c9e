"""What every task is given: the recipe, the home, and the MLflow run that the pipeline reports to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from lmforge.artifacts import Artifact, Counts, Store
from lmforge.home import Home
from lmforge.pipeline import Stage, stages
from lmforge.recipe import Recipe
from lmforge.recipe.data import Corpus
from lmforge.starting import Start

JOURNAL = "stages.jsonl"
SUMMARY = "summary.json"
BASE_REPORT = "base.json"
TASK_RUNNER = "LMFORGE_TASK_RUNNER"


class StageRecord(BaseModel):
    """A line of the run's journal: what one stage did."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: str
    key: str
    fingerprint: str
    cached: bool
    seconds: float
    why: str
    counts: Counts
    size_bytes: int
    path: Path


class Run(BaseModel):
    """One run of a pipeline. `run_id` is that of its MLflow parent run and names its directory in the home.

    start: the model that the recipe starts from, if any. task_runner: who works on the shards of a stage (see
    `tasks.sharding`); it never changes a result.
    """

    model_config = ConfigDict(frozen=True)

    recipe: Recipe
    recipe_path: str
    home: Home
    run_id: str
    experiment_id: str
    start: Start | None = None
    task_runner: str = "serial"

    @property
    def store(self) -> Store:
        return Store(self.home.store)

    @property
    def directory(self) -> Path:
        return self.home.runs / self.run_id

    @property
    def corpus(self) -> Corpus:
        """The recipe's corpus; only the stages of a recipe that has one ask for it."""
        assert self.recipe.corpus is not None
        return self.recipe.corpus

    def stage(self, name: str) -> Stage:
        """A stage of this run's recipe by name."""
        return stages(self.recipe, self.start)[name]

    def report_directory(self, stage: str) -> Path:
        """Where a stage leaves its validation report, whether it passes or not."""
        return self.directory / "reports" / stage

    def training_directory(self, stage: str, key: str) -> Path:
        """Checkpoints and metrics of a training stage; it outlives this run, so that another one can go on."""
        return self.home.path / "training" / f"{stage}-{key}"

    def append(self, record: StageRecord) -> None:
        """Add a line to the journal."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with (self.directory / JOURNAL).open("a", encoding="utf-8") as file:
            file.write(record.model_dump_json() + "\n")

    def journal(self) -> Iterator[StageRecord]:
        """The stages done so far, in order."""
        path = self.directory / JOURNAL
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        return (StageRecord.model_validate_json(line) for line in lines)

    def write(self, name: str, value: Mapping[str, Any]) -> None:
        """Write a JSON document into the run's directory."""
        self.directory.mkdir(parents=True, exist_ok=True)
        partial = self.directory / f".{name}.partial"
        partial.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        partial.replace(self.directory / name)

    def read(self, name: str) -> dict[str, Any]:
        """Read a JSON document of the run's directory."""
        document: dict[str, Any] = json.loads((self.directory / name).read_text(encoding="utf-8"))
        return document


def fingerprints(inputs: Mapping[str, Artifact]) -> dict[str, str]:
    """Stage name to content fingerprint."""
    return {stage: artifact.fingerprint for stage, artifact in inputs.items()}
