"""The end of `lmforge run`: what happened, how good it is, where to look, and what to try next. Fits 80 columns."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from lmforge.explaining import FIRST, REUSED
from lmforge.home import Home
from lmforge.reporting.lines import reason_words, size_words
from lmforge.reporting.results import base_rows, results_rows
from lmforge.services.addresses import without_password
from lmforge.services.record import mlflow_address

NUMBERS = ("read", "kept", "repaired", "quarantined")


def print_summary(
    document: Mapping[str, Any], home: Home, console: Console | None = None, overrides: Sequence[str] = ()
) -> None:
    """Print the summary of a run for a newcomer. overrides: what it was given with `--set`."""
    console = console or Console(highlight=False)
    console.print()
    console.print(_stages(document["stages"]))
    for line in _notes(document["stages"]):
        console.print(line, soft_wrap=True, style="dim")
    if document.get("language"):
        _language(document["language"], console)
    if document.get("base"):
        _base(document["base"], console)
    for task in document["tasks"]:
        _task(task, console)
    _next(document, home, console, overrides)


def _stages(stages: list[Mapping[str, Any]]) -> Table:
    table = Table("stage", "", "seconds", *NUMBERS, "wrote", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.columns[0].no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"
    for stage in stages:
        counts = stage["counts"]
        numbers = [f"{counts[name]:,}" if counts["read"] else "" for name in NUMBERS]
        state = "cached" if stage["cached"] else "done"
        table.add_row(stage["name"], state, f"{stage['seconds']:.1f}", *numbers, size_words(stage["size_bytes"]))
    table.add_row("total", "", f"{sum(stage['seconds'] for stage in stages):.1f}")
    return table


def _notes(stages: list[Mapping[str, Any]]) -> Iterator[str]:
    for stage in stages:
        if stage["counts"]["quarantined"]:
            yield f"{stage['name']} set aside: {reason_words(stage['counts']['reasons'])}"
    if any(stage["cached"] for stage in stages):
        yield f"cached: {REUSED} as in an earlier run"
    for stage in stages:
        if not stage["cached"] and stage["why"] != FIRST:
            yield f"{stage['name']} ran because {stage['why']}"


def _language(language: Mapping[str, Any], console: Console) -> None:
    head = f"\nlanguage model: nats a token on {language['num_predicted_tokens']:,} held-out tokens, less is better"
    console.print(head, style="bold")
    table = Table(box=None, pad_edge=False, show_header=False)
    losses = {"this model": language["model"]["loss"]}
    losses |= {f"{name} counts": loss for name, loss in language["floors"].items()}
    bits = _bits_per_byte(language)
    for name, loss in sorted(losses.items(), key=lambda item: item[1]):
        cells = [f"{bits[name]:.3f} bits a byte"] if name in bits else []
        table.add_row(f"  {name}", f"{loss:.3f}", *cells, style="bold" if name == "this model" else None)
    console.print(table)


def _bits_per_byte(language: Mapping[str, Any]) -> dict[str, float]:
    """By the names of the losses; empty for a masked language model, whose losses are not the cost of a text."""
    if "bits_per_byte" not in language["model"]:
        return {}
    floors = {f"{name} counts": bits for name, bits in language["floor_bits_per_byte"].items()}
    return {"this model": language["model"]["bits_per_byte"]} | floors


def _base(base: Mapping[str, Any], console: Console) -> None:
    unit = base["metric"].replace("_", " ")
    head = f"\nbase model: {unit} on {base['num_documents']:,} held-out documents, less is better"
    console.print(head, style="bold")
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value in base_rows(base):
        table.add_row(f"  {name}", f"{value:.3f}", style="bold" if name == "this model" else None)
    console.print(table)
    _registered(base, console)


def _task(task: Mapping[str, Any], console: Console) -> None:
    console.print(f"\n{task['task']}: {task['metric']} on {task['num_test_examples']:,} test examples", style="bold")
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value, low, high in results_rows(task):
        style = "bold" if name == "this model" else None
        table.add_row(f"  {name}", f"{value:.3f}", f"95 % interval {low:.3f} to {high:.3f}", style=style)
    console.print(table)
    _registered(task, console)


def _registered(model: Mapping[str, Any], console: Console) -> None:
    alias = f" ({', '.join(model['aliases'])})" if model["aliases"] else ""
    console.print(f"  registered as {model['registered_model']} version {model['version']}{alias}")
    console.print(f"  {model['summary']}", soft_wrap=True)
    if "next" in model:
        console.print(f"  {model['next']}", soft_wrap=True)


def _command(recipe: str, overrides: Sequence[str]) -> str:
    return shlex.join(["lmforge", "run", recipe, *(part for one in overrides for part in ("--set", one))])


def _next(document: Mapping[str, Any], home: Home, console: Console, overrides: Sequence[str]) -> None:
    console.print("\nTry next", style="bold")
    steps = [(_command(document["recipe"], overrides), "the same again: every stage is reused")]
    for task in document["tasks"][:1]:
        steps.append((f'lmforge predict {task["registered_model"]} "some text"', "ask the champion"))
        rate = f"tasks.{task['task']}.finetuning.learning_rate"
        others = [one for one in overrides if one.partition("=")[0] != rate]
        changed = _command(document["recipe"], [*others, f"{rate}={task['learning_rate'] / 2:g}"])
        steps.append((changed, "a second version, judged against the champion"))
    steps.append(("lmforge compare latest~1 latest", "what differs between two runs"))
    steps.append(("lmforge up", "the Prefect and MLflow pages, and the nightly schedule"))
    for command, why in steps:
        console.print(f"  {command}", soft_wrap=True)
        console.print(f"      {why}", style="dim")
    address, running = mlflow_address(home)
    page = f"{without_password(address)}/#/experiments/{document['experiment_id']}/runs/{document['run_id']}"
    opened = "" if running else " (start it with `lmforge up`)"
    console.print(f"\nThis run in MLflow{opened}:\n  {page}", soft_wrap=True)
    console.print(f"Everything is in {home.path}", soft_wrap=True)
