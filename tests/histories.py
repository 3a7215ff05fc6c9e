"""Runs and versions in a real tracking store and registry, written as the pipeline does, without training anything."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from lmforge.artifacts import Counts, Store
from lmforge.artifacts.store import Outcome, Request
from lmforge.evaluation.predictions import write_predictions
from lmforge.home import Home
from lmforge.recipe import Recipe
from tasks import tracking
from tasks.context import SUMMARY, Run, StageRecord

GOLD = ["x", "y"] * 100


def recipe(name: str = "demo", learning_rate: float = 5e-4, **data: str) -> Recipe:
    task = {"name": "section", "data": {"path": "a.csv", **data}, "finetuning": {"learning_rate": learning_rate}}
    return Recipe.model_validate(
        {"name": name, "model": {"from": "base"}, "tasks": [task], "release": {"resamples": 1000}}
    )


class History:
    """Writes runs as the pipeline does, without training anything."""

    def __init__(self, project: Path) -> None:
        self.home = Home(project=project, path=project / ".lmforge").prepare()

    def start(self, loaded: Recipe, overrides: tuple[str, ...] = ()) -> Run:
        experiment_id, run_id = tracking.start_parent(self.home, loaded, "recipes/demo.yaml", list(overrides))
        return Run(
            recipe=loaded, recipe_path="recipes/demo.yaml", home=self.home, run_id=run_id, experiment_id=experiment_id
        )

    def stage(self, run: Run, name: str, version: str, files: dict[str, str], facts: dict[str, object]) -> Path:
        def build(out: Path) -> Outcome:
            for path, text in files.items():
                (out / path).write_text(text, encoding="utf-8")
            if "predicted" in facts:
                (out / "model").mkdir()
                self.predict(out / "model", facts["predicted"])
            return Outcome(Counts(), {key: value for key, value in facts.items() if key != "predicted"})

        request = Request(name, "evidence", {"version": version}, {}, "code")
        artifact, cached = Store(self.home.store).get_or_build(request, build)
        record = StageRecord(
            name=name, kind="evidence", key=request.key, fingerprint=artifact.fingerprint, cached=cached, seconds=1.5,
            why="", counts=Counts(), size_bytes=1, path=artifact.path,
        )  # fmt: skip
        run.append(record)
        tracking.log_stage(run, record, artifact.manifest)
        return artifact.path

    @staticmethod
    def predict(out: Path, wrong: int) -> None:
        predicted = [("y" if gold == "x" else "x") if index < wrong else gold for index, gold in enumerate(GOLD)]
        ids, numbers = [f"{index:03}" for index in range(len(GOLD))], np.ones(len(GOLD))
        write_predictions(
            out, ids=ids, gold=GOLD, predicted=predicted, scores=numbers, losses=numbers, num_words=[3] * len(GOLD)
        )

    def evaluated(
        self, loaded: Recipe, wrong: int, test: str = "t1", version: str = "1", **more: tuple[str, ...]
    ) -> Run:
        """A finished run of `loaded` whose model has `wrong` answers wrong on the test set `test`."""
        run = self.start(loaded, **more)
        self.stage(run, "label-section", test, {"labels.json": json.dumps(test)}, {"test_digest": test})
        self.stage(run, "evaluate-section", f"{wrong} {test}", {"metrics.json": str(wrong)}, {"predicted": wrong})
        value = 1 - wrong / len(GOLD)
        scores = {"macro_f1": {"low": value - 0.05, "value": value, "high": value + 0.05, "confidence": 0.95}}
        document = {
            "task": "section", "metric": "macro_f1", "metrics": scores, "baselines": {}, "num_test_examples": len(GOLD),
            "registered_model": f"{loaded.name}-section", "version": version, "aliases": [], "verdict": "first version",
        }  # fmt: skip
        run.write("task-section.json", document)
        return self.end(run, "FINISHED")

    def end(self, run: Run, status: str) -> Run:
        stages = [record.model_dump(mode="json") for record in run.journal()]
        tasks = [run.read(path.name) for path in run.directory.glob("task-*.json")]
        tracking.client(self.home).log_dict(run.run_id, {"stages": stages, "tasks": tasks}, SUMMARY)
        tracking.client(self.home).set_terminated(run.run_id, status)
        return run
