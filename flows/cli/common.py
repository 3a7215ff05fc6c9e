"""What all verbs share: options, output in words or as one JSON document, and errors as exit codes."""

from __future__ import annotations

import gc
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from lmforge.errors import InputError
from lmforge.home import Home

INTERRUPTED, TERMINATED = 130, 143
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output, all else on standard error.")]
RecipePath = Annotated[Path, typer.Argument(help="Recipe file.", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Replace a value of the recipe; may be given more than once."),
]


def emit(document: Mapping[str, Any], as_json: bool, words: Callable[[], None]) -> None:
    """Print the document, or call `words` to say the same to a person."""
    if as_json:
        print(json.dumps(document, indent=2, default=str))
    else:
        words()


def recipe_in_project(home: Home, recipe: Path) -> str:
    """A recipe's path relative to the project, as the flows take it; one in the home is named in full.

    Raises InputError when it is outside of both.
    """
    path = recipe.resolve()
    if path.is_relative_to(home.path):
        return path.as_posix()  # written by `lmforge reproduce`, for a run in a home of its own
    if not path.is_relative_to(home.project):
        raise InputError(f"{recipe}: outside the project {home.project}; copy it there, or change to its project")
    return path.relative_to(home.project).as_posix()


def unfinished_run(home: Home) -> dict[str, Any]:
    """What the run of this process has done so far, with the command that goes on; empty if it started none."""
    for owner in home.runs.glob("*/process.json"):
        summary = owner.with_name("summary.json")
        if json.loads(owner.read_text(encoding="utf-8"))["pid"] == os.getpid() and summary.is_file():
            document: dict[str, Any] = json.loads(summary.read_text(encoding="utf-8"))
            return document | {"resume": shlex.join(["lmforge", *sys.argv[1:]])}
    return {}


def say(text: str = "") -> None:
    """Tell a person something that is not the result."""
    print(text, file=sys.stderr)


@contextmanager
def keeping_imports() -> Iterator[None]:
    """Look for no garbage: what is imported stays, and to search it is a fifth of the time that the import takes."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
