"""The end of `lmforge run`: what happened, how good it is, where to look, and what to try next."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from lmforge.home import Home
from lmforge.reporting.lines import count_words, size_words
from lmforge.reporting.results import results_rows


def print_summary(document: Mapping[str, Any], home: Home, console: Console | None = None) -> None:
    """Print the summary of a run for a newcomer; fits 80 columns."""
    console = console or Console(highlight=False, soft_wrap=False)
    console.print()
    console.print(_stages(document))
    for task in document["tasks"]:
        _task(task, console)
    _next(document, home, console)


def _stages(document: Mapping[str, Any]) -> Table:
    table = Table("stage", "state", "seconds", "records", box=None, pad_edge=False, title=None)
    table.columns[2].justify = "right"
    for stage in document["stages"]:
        counts = stage["counts"]
        words = count_words(counts) if counts["read"] else size_words(stage["size_bytes"])
        table.add_row(stage["name"], "cached" if stage["cached"] else "done", f"{stage['seconds']:.1f}", words)
    total = sum(stage["seconds"] for stage in document["stages"])
    table.add_row("total", "", f"{total:.1f}", "")
    return table


def _task(task: Mapping[str, Any], console: Console) -> None:
    console.print(f"\n{task['task']}: test {task['metric']} on {task['num_test_examples']:,} examples", style="bold")
    table = Table(box=None, pad_edge=False, show_header=False)
    for name, value, low, high in results_rows(task):
        table.add_row(f"  {name}", f"{value:.3f}", f"95 % interval {low:.3f} to {high:.3f}")
    console.print(table)
    alias = f" ({', '.join(task['aliases'])})" if task["aliases"] else ""
    console.print(f"  registered as {task['registered_model']} version {task['version']}{alias}")
    console.print(f"  {task['summary']}", soft_wrap=True)


def _next(document: Mapping[str, Any], home: Home, console: Console) -> None:
    recipe = document["recipe"]
    console.print("\nNext", style="bold")
    steps = [(f"lmforge run {recipe}", "again: every stage is reused")]
    for task in document["tasks"][:1]:
        change = f"--set tasks.{task['task']}.finetuning.learning_rate=1e-3"
        steps.append((f'lmforge predict {task["registered_model"]} "some text"', "ask the champion"))
        steps.append((f"lmforge run {recipe} {change}", "a second version, judged against this one"))
    steps.append(("lmforge runs", "list runs; compare two with `lmforge compare`"))
    steps.append(("lmforge up", "Prefect and MLflow pages, and the nightly schedule"))
    for command, why in steps:
        console.print(f"  {command}\n      {why}", soft_wrap=True)
    console.print(f"\nRun {document['run_id']} in MLflow: `lmforge up`, then http://127.0.0.1:5000", soft_wrap=True)
    console.print(f"Everything is in {home.path}", soft_wrap=True)
