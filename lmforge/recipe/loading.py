"""Reads a recipe strictly and reports everything that is wrong with it at once.

Nothing in a recipe is ever expanded: `${HOME}`, `$(cmd)` and `~` stay the text that they are. Paths are not looked at
here; whoever opens one calls `lmforge.paths.inside`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lmforge.errors import InputError, RecipeError
from lmforge.recipe.nodes import Node, Place, Problem
from lmforge.recipe.overrides import apply_overrides
from lmforge.recipe.problems import MAX_PROBLEMS, explain
from lmforge.recipe.schema import Recipe
from lmforge.recipe.yaml_lines import read_yaml
from lmforge.wording import listed, nearest, shown

# A recipe is some hundred lines; a megabyte bounds the parser's time to seconds.
MAX_BYTES = 1 << 20


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read, override and validate a recipe.

    overrides: `key.sub=value` each, the last one wins.
    InputError: the file cannot be read. RecipeError: all its problems, by line, at most 50 of them.
    """
    source = _short(path)
    text = _read(path, source)
    root, problems = read_yaml(text, lambda line: Place(source, line))
    recipe = None
    if isinstance(root.value, dict):
        problems += apply_overrides(root, Recipe, overrides)
        recipe = _validate(root, problems)
    elif not problems:
        what = f"expected a mapping that begins like `name: reviews`; got {root.shown()}"
        problems.append(Problem(root.place, "", what))
    if problems or recipe is None:
        problems.sort(key=Problem.order)
        lines = [str(problem) for problem in problems[:MAX_PROBLEMS]]
        more = [f"{source}: and more problems; mend these first"] if len(problems) > MAX_PROBLEMS else []
        raise RecipeError(lines + more)
    return recipe


def recipe_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of a recipe, for editors; keys as they are written in YAML."""
    schema = Recipe.model_json_schema(by_alias=True, mode="validation")
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "lmforge recipe",
        "description": "Text, labels and model of one pipeline, from raw text to a language model in production.",
    }
    return {**head, **{key: value for key, value in schema.items() if key not in head}}


def _validate(root: Node, problems: list[Problem]) -> Recipe | None:
    """The recipe, or None with its problems added to `problems`.

    By way of JSON, because only there strict mode takes lists for tuples and mappings for models.
    """
    try:
        return Recipe.model_validate_json(json.dumps(root.plain()), strict=True)
    except ValidationError as error:
        problems += explain(error, root, Recipe)
        return None


def _short(path: Path) -> str:
    """The path as a message shows it: relative to the current directory where it lies below."""
    try:
        return path.relative_to(Path.cwd()).as_posix() if path.is_absolute() else path.as_posix()
    except (ValueError, OSError):
        return path.as_posix()


def _read(path: Path, source: str) -> str:
    try:
        if not path.exists():
            raise InputError(f"recipe {shown(source, 200)} does not exist; {_neighbours(path)}")
        if not path.is_file():
            raise InputError(f"recipe {shown(source, 200)} is not a file; name a *.yaml")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise InputError(f"recipe {shown(source, 200)} cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise InputError(f"recipe {shown(source, 200)} is larger than {MAX_BYTES} bytes; is it a data file?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = f"byte {error.start} (0x{data[error.start]:02x}) is not UTF-8; save the file as UTF-8"
        raise RecipeError([str(Problem(Place(source, line), "", what))]) from error


def _neighbours(path: Path) -> str:
    """The recipes that stand where `path` was looked for, and the nearest name."""
    directory = path.parent
    names = sorted(item.name for item in directory.glob("*.y*ml")) if directory.is_dir() else []
    if not names:
        return f"{shown(directory.as_posix())} holds no *.yaml"
    near = nearest(path.name, names)
    return f"{shown(directory.as_posix())} holds {listed(names)}" + (f"; did you mean {shown(near)}?" if near else "")
