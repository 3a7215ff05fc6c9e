"""What the trainings of a run computed with, as their records say, and a recipe that computes with it again.

A probe chooses precision, threads and compilation by measuring; measured again it may choose otherwise, and then the
last bits of the weights differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmforge.errors import InputError

EXECUTION, SPEC = "execution.json", "spec.json"


def recorded_execution(logs: Sequence[Path]) -> dict[str, Any] | None:
    """`precision`, `num_threads` and `compiled` of a training, from the first of the directories that has them.

    A run without execution.json took what its spec.json says, and the defaults for what that leaves open. None where
    neither file is there. Raises InputError for a file that is not JSON.
    """
    for directory in logs:
        if (directory / EXECUTION).is_file():
            found = _read(directory / EXECUTION)
            return {name: found[name] for name in ("precision", "num_threads", "compiled")}
    for directory in logs:
        if (directory / SPEC).is_file():
            spec = _read(directory / SPEC)
            settings = spec["settings"]
            precision = settings.get("precision", "auto")
            threads = settings.get("num_threads") or max(1, spec["num_threads"] // settings.get("num_processes", 1))
            precision = "32-true" if precision == "auto" else precision
            return {"precision": precision, "num_threads": threads, "compiled": settings.get("compile") == "on"}
    return None


def with_execution(recipe: Mapping[str, Any], chosen: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The recipe with the choices of its trainings written out, so that no probe decides again.

    recipe: as `recipe.json` of a run. chosen: by stage, as `recorded_execution` gives it. A training from scratch
    shares the settings of the fine-tuning beside it, and takes its choice.
    """
    document: dict[str, Any] = json.loads(json.dumps(recipe))
    places = {f"finetune-{task['name']}": task["finetuning"] for task in document.get("tasks", ())}
    places["pretrain"] = document.get("pretraining", {})
    for stage, execution in chosen.items():
        if stage in places:
            places[stage] |= {
                "precision": execution["precision"],
                "num_threads": execution["num_threads"],
                "compile": "on" if execution["compiled"] else "off",
            }
    return document


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}; remove it to go on without it") from error
    return found
