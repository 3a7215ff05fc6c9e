"""A model that a run starts from: which one it is, and whether a recipe can go on from it.

Only JSON files are read here, so that a recipe is checked before anything heavy is loaded. Code that a directory brings
along is never run.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from lmforge.errors import InputError
from lmforge.paths import inside
from lmforge.recipe.schema import REGISTERED, Recipe
from lmforge.wording import shown
from models.fitting import DECODERS, ENCODER_DECODERS, ENCODERS, misfit

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
# What names special tokens beside the tokenizer itself.
_NAMING = ("tokenizer_config.json", "special_tokens_map.json")
# What the configurations of transformers call the number of positions that a network knows; T5 has no end of them.
_POSITIONS = ("max_position_embeddings", "n_positions")


class Start(NamedTuple):
    """Where a run starts from. replay: what the model was trained on, as tokens, for a recipe that replays it.

    name: as the recipe has it, with an alias replaced by its version.
    """

    name: str
    directory: Path
    replay: Path | None = None

    def files(self) -> dict[str, Path]:
        """The files of the model by role."""
        return {f"start:{path.name}": path for path in _visible(self.directory)}

    def tokenizer_files(self) -> dict[str, Path]:
        """Those of its files that decide the ids of a text, by role."""
        named = {f"start:{name}": self.directory / name for name in _NAMING}
        found = {role: path for role, path in named.items() if path.is_file()}
        return {"start:tokenizer": self.directory / TOKENIZER} | found

    def replayed_files(self) -> dict[str, Path]:
        """The files of the earlier tokens by role; none without them."""
        return {f"replay:{path.name}": path for path in _visible(self.replay) if path.suffix == ".npy"}


def is_registered(recipe: Recipe) -> bool:
    """Whether a recipe starts from a version in MLflow's registry, which somebody has to look up."""
    return str(recipe.model.start_from).startswith(REGISTERED)


def local_start(recipe: Recipe, project: Path) -> Start | None:
    """The start of a recipe that names a directory of the project; None where it starts from nothing.

    Raises InputError for a directory that is not there or lies outside.
    """
    if recipe.model.start_from is None:
        return None
    return Start(recipe.model.start_from, inside(project, recipe.model.start_from), local_replay(recipe, project))


def local_replay(recipe: Recipe, project: Path) -> Path | None:
    """The directory of earlier tokens that a recipe names; None where it names none."""
    replay = recipe.pretraining.replay
    return inside(project, replay.tokens) if replay and replay.tokens else None


def started(recipe: Recipe, start: Start) -> Recipe:
    """The recipe with the start's own name and architecture in it.

    Raises InputError where no model is there, where it is of an architecture that is not known, that the recipe
    contradicts or that cannot learn an objective, and where texts would be longer than its positions.
    """
    config = _read(start.directory / CONFIG)
    architecture = config.get("model_type")
    _check_architecture(recipe, start, architecture)
    if recipe.corpus is not None:
        for objective in recipe.pretraining.objectives:
            if reason := misfit(objective, str(architecture)):
                raise InputError(f"model.from: {start.name} and pretraining.objective: {reason}")
        _check_length("pretraining", recipe.pretraining.max_seq_length, start, config)
    for task in recipe.tasks:
        _check_length(f"tasks.{task.name}.finetuning", task.finetuning.max_seq_length, start, config)
    if not (start.directory / TOKENIZER).is_file():
        raise InputError(f"model.from: {start.directory} lacks {TOKENIZER}; save the fast tokenizer beside it")
    if start.replay is not None and not (start.replay / "train.npy").is_file():
        raise InputError(
            f"pretraining.replay.tokens: {start.replay} has no train.npy; name what a stage tokenize wrote"
        )
    model = recipe.model.model_copy(update={"start_from": start.name, "architecture": architecture})
    return recipe.model_copy(update={"model": model})


def _check_architecture(recipe: Recipe, start: Start, architecture: Any) -> None:
    known = (*ENCODERS, *DECODERS, *ENCODER_DECODERS)
    if architecture not in known:
        raise InputError(
            f"model.from: {start.name} is of architecture {shown(str(architecture))}; those that can be started from "
            f"are {', '.join(known)}"
        )
    if "architecture" in recipe.model.model_fields_set and recipe.model.architecture != architecture:
        raise InputError(
            f"model.architecture says {recipe.model.architecture}, but {start.name} is of architecture {architecture}; "
            "remove the line"
        )


def _check_length(place: str, length: int, start: Start, config: dict[str, Any]) -> None:
    positions = next((config[name] for name in _POSITIONS if isinstance(config.get(name), int)), length)
    if config.get("model_type") != "t5" and length > positions:
        raise InputError(f"{place}.max_seq_length: {length} is more than the {positions} positions of {start.name}")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"model.from: {path} does not exist; name the directory of a transformers model") from error
    except (OSError, ValueError) as error:
        raise InputError(f"model.from: {path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"model.from: {path} holds no configuration of a model")
    return content


def _visible(directory: Path | None) -> list[Path]:
    found = directory.iterdir() if directory and directory.is_dir() else ()
    return sorted(path for path in found if path.is_file() and not path.name.startswith("."))
