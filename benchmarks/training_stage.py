"""A training stage as the pipeline runs it: a Prefect task in a flow on a real server, and MLflow in SQLite.

The server is started before the clock. The stage is `tasks.training.train`: the program, the forwarding of what it
measures, the figure and the end of the MLflow run.

Usage: python benchmarks/training_stage.py SPEC.json   (prints the seconds of the flow as JSON)
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from lmforge.home import Home
from lmforge.recipe import Recipe
from lmforge.training.spec import TrainingSpec


def main() -> None:
    spec = TrainingSpec.model_validate_json(Path(sys.argv[1]).read_bytes())
    # Before Prefect is imported: it reads its home then.
    os.environ["LMFORGE_HOME"] = str(spec.run_dir.parent / f"{spec.run_dir.name}-home")
    home = Home.find().prepare()

    from prefect import flow, task
    from prefect.testing.utilities import prefect_test_harness

    from tasks import tracking
    from tasks.context import Run
    from tasks.training import train

    recipe = Recipe.model_validate({"name": "stage", "corpus": {"sources": [{"kind": "files", "path": "a.jsonl"}]}})

    @task(persist_result=False)
    def pretrain(run: Run) -> str:
        return str(train(run, spec, "pretrain")["mlflow_run_id"])

    @flow(name="stage", validate_parameters=False)
    def stage(run: Run) -> str:
        return pretrain(run)

    with prefect_test_harness(server_startup_timeout=120):
        experiment_id, run_id = tracking.start_parent(home, recipe, "stage.yaml", [])
        run = Run(recipe=recipe, recipe_path="stage.yaml", home=home, run_id=run_id, experiment_id=experiment_id)
        started = time.monotonic()
        stage(run)
        seconds = time.monotonic() - started
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main()
