"""Runs beside each other: what differs between them as data, and both verbs' output as text of at most 80 columns.

A run comes in as plain facts: `run_id`, `recipe` (its name), `started` (ISO 8601), `seconds`, `status`, `code`,
`parameters`, `environment`, `stages` (name to fingerprint), `timings` (name to seconds), `language`, `tasks` and `base`
(the documents that a run leaves for each task and for a base model, with `facts` on the version that was registered). A
version is such a run with `version`, its name. Metrics are named as in MLflow, so that they are found there again.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from lmforge.wording import shown

WIDTH, LABEL = 80, 29
SHORT_RUN, SHORT_HASH = 8, 12
MAX_NAME = 22
MAX_SLICES = 8
# 17 significant digits tell any two float64 apart.
EXACT = 17
DIGITS = (3, 6, EXACT)
HEAD = ("run_id", "recipe", "started", "seconds", "status")


def compare(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What differs between runs.

    `differences` maps section and label to one value a run, None where a run has none, and holds only labels whose
    values differ; `timings` maps each stage to its seconds, which always differ and so are no difference.
    """
    sections = [_sections(run) for run in runs]
    names = dict.fromkeys(name for one in sections for name in one)
    merged = {name: _beside([one.get(name, {}) for one in sections]) for name in names}
    differences = {name: found for name, values in merged.items() if (found := _differing(values))}
    return {
        "runs": [{key: run[key] for key in HEAD} | {"version": run.get("version")} for run in runs],
        "differs": bool(differences),
        "differences": differences,
        "timings": _beside([run["timings"] for run in runs]),
    }


def flatten(value: Any, prefix: str = "") -> dict[str, Any]:
    """A recipe's values by dotted key, as `--set` takes them: an item of a list by its `name`, else by its index."""
    if isinstance(value, Mapping) and value:
        items = [(str(key), inner) for key, inner in value.items()]
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        items = [(str(item.get("name", index)), item) for index, item in enumerate(value)]
    else:
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in items:
        flat |= flatten(inner, f"{prefix}.{key}" if prefix else key)
    return flat


def task_row(document: Mapping[str, Any], aliases: Sequence[str]) -> dict[str, Any]:
    """A task's line in the list of runs; `aliases` are those that its version has now."""
    score = document["metrics"][document["metric"]]
    kept = ("task", "metric", "verdict", "registered_model", "version")
    numbers = {name: score[name] for name in ("value", "low", "high")}
    return {name: document.get(name) for name in kept} | numbers | {"aliases": list(aliases)}


def render_runs(rows: Sequence[Mapping[str, Any]]) -> str:
    """The list of runs: a line a run, and below it what was set and a line a task."""
    if not rows:
        return "no runs yet; start one: lmforge run recipes/quickstart.yaml"
    width = max(6, *(min(len(row["recipe"]), MAX_NAME) for row in rows))
    lines = [f"{'run':<{SHORT_RUN}}  {'recipe':<{width}}  {'started':<16}  {'took':<10}  status"]
    for row in rows:
        name = shown(row["recipe"], MAX_NAME - 3) if len(row["recipe"]) > MAX_NAME else row["recipe"]
        head = f"{row['run_id'][:SHORT_RUN]}  {name:<{width}}  {_minute(row['started']):<16}"
        lines.append(f"{head}  {_duration(row['seconds']):<10}  {row['status']}")
        lines += _details(row)
    return "\n".join(lines)


def render_comparison(document: Mapping[str, Any], timings: bool = False) -> str:
    """The result of `compare`, with `gains` and `mlflow` if they are in it; the address alone may be longer."""
    runs = document["runs"]
    names = [shown(run["version"] or run["run_id"][:SHORT_RUN]) for run in runs]
    lines = _row("version", names, names) if any(run["version"] for run in runs) else []
    lines += _row("run", [run["run_id"][:SHORT_RUN] for run in runs], names)
    lines += _row("started", [_minute(run["started"]) for run in runs], names)
    sections = dict(document["differences"])
    if timings:
        sections["seconds"] = document["timings"]
    for section, values in sections.items():
        lines += ["", shown(section)]
        for label, row in values.items():
            lines += _row(f"  {shown(label, WIDTH * 2)}", _cells(row), names)
    if not document["differs"]:
        lines += ["", "nothing differs"]
    for task, gain in document.get("gains", {}).items():
        lines += ["", *_gain(task, gain, names)]
    return "\n".join([*lines, *_address(document.get("mlflow"))])


def _sections(run: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    fixed = {
        "run": {"status": run["status"], "recipe": run["recipe"]},
        "code": run["code"],
        "environment": run.get("environment", {}),
        "recipe": run["parameters"],
        "stages": run["stages"],
        "language": run["language"],
    }
    if base := run.get("base"):
        fixed["base model"] = _base_values(base)
    return fixed | {f"task {document['task']}": _task_values(document) for document in run["tasks"]}


def _task_values(document: Mapping[str, Any]) -> dict[str, Any]:
    values = {"verdict": document.get("verdict"), "num_test_examples": document["num_test_examples"]}
    values["version"] = f"{document['registered_model']} {document['version']}"
    values |= {f"test/{metric}": score for metric, score in document["metrics"].items()}
    for name, scores in document["baselines"].items():
        values |= {f"baseline/{name}/{metric}": score for metric, score in scores.items()}
    values |= document.get("facts", {})
    return values


def _base_values(document: Mapping[str, Any]) -> dict[str, Any]:
    values = {"verdict": document.get("verdict"), "num_documents": document["num_documents"]}
    values["version"] = f"{document['registered_model']} {document['version']}"
    values[document["metric"]] = document["value"]
    values |= {f"floor/{name}_{document['metric']}": value for name, value in document["floors"].items()}
    values |= document.get("facts", {})
    return values


def _beside(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    labels = dict.fromkeys(label for run in runs for label in run)
    return {label: [run.get(label) for run in runs] for label in labels}


def _differing(values: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    return {label: row for label, row in values.items() if any(value != row[0] for value in row)}


def _details(row: Mapping[str, Any]) -> Iterator[str]:
    if row["overrides"]:
        yield from _wrapped(f"  --set {shown(row['overrides'], WIDTH * 4)}")
    for task in row["tasks"]:
        aliases = f" ({', '.join(task['aliases'])})" if task["aliases"] else ""
        interval = f"{task['metric']} {task['value']:.3f} ({task['low']:.3f} to {task['high']:.3f})"
        version = f"{task['registered_model']} {task['version']}{aliases}"
        yield from _wrapped(f"  {task['task']}: {interval}, {task['verdict']}, {version}")
    if base := row.get("base"):
        aliases = f" ({', '.join(base['aliases'])})" if base["aliases"] else ""
        version = f"{base['registered_model']} {base['version']}{aliases}"
        yield from _wrapped(f"  base: {base['metric']} {base['value']:.3f}, {base['verdict']}, {version}")
    if row["language"] and not row["tasks"]:
        yield from _wrapped("  " + ", ".join(f"{name} {value:.3f}" for name, value in row["language"].items()))


def _row(label: str, cells: Sequence[str], names: Sequence[str]) -> list[str]:
    """Cells beside their label if they fit, else below it, each with the name of its run."""
    width = (WIDTH - LABEL) // len(cells)
    if max(map(len, cells)) >= width:
        pairs = zip(names, cells, strict=True)
        return [*_wrapped(label), *(line for name, cell in pairs for line in _wrapped(f"    {name}: {cell}"))]
    values = "".join(f"{cell:<{width}}" for cell in cells).rstrip()
    if len(label) < LABEL:
        return [f"{label:<{LABEL}}{values}"]
    return [*_wrapped(label), " " * LABEL + values]


def _cells(values: Sequence[Any]) -> list[str]:
    """Values as text, rounded no further than keeps different ones different."""
    cells: list[str] = []
    distinct = len({repr(value) for value in values})
    for digits in DIGITS:
        cells = [_cell(value, digits) for value in values]
        if len(set(cells)) == distinct:
            break
    return cells


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return "-"
    if isinstance(value, Mapping):
        return f"{value['value']:.{digits}f} ({value['low']:.{digits}f} to {value['high']:.{digits}f})"
    if isinstance(value, float):
        return f"{value:.6g}" if digits < EXACT else repr(value)
    text = str(value)
    return text[:SHORT_HASH] if re.fullmatch("[0-9a-f]{40,64}", text) else shown(text, WIDTH * 4)


def _gain(task: str, gain: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    if "reason" in gain:
        return _wrapped(f"task {task}: not compared example by example: {gain['reason']}")
    low, high = gain["interval"]["low"], gain["interval"]["high"]
    words = "better" if low > 0 else "worse" if high < 0 else "within noise"
    where = f"task {task}: {names[1]} minus {names[0]}, on the same {gain['num_examples']:,} test examples"
    what = f"  {gain['metric']} {gain['gain']:+.4f} (95 % interval {low:+.4f} to {high:+.4f}): {words}"
    return [*_wrapped(where), *_wrapped(what), *_losses(gain.get("slices", []))]


def _losses(slices: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parts of the test set on which the second is worse, those first where that is shown."""
    worse = sorted((row for row in slices if row["change"] < 0), key=lambda row: (not row["worse"], row["change"]))
    if not slices:
        return []
    shown_to_be = sum(row["worse"] for row in worse)
    parts = f"{len(worse)} of {len(slices)} parts of the test set"
    lines = _wrapped(
        f"  worse on {parts}, measurably on {shown_to_be or 'none'}"
        if worse
        else f"  worse on none of {len(slices)} parts of the test set"
    )
    for row in worse[:MAX_SLICES]:
        note = "measurably worse" if row["worse"] else "within noise" if row["judged"] else "too few to judge"
        lines += _wrapped(f"    {row['slice']}: {row['change']:+.4f} on {row['num_examples']:,} examples, {note}")
    more = len(worse) - MAX_SLICES
    return lines + ([f"    and {more} more: --json has all of them"] if more > 0 else [])


def _address(mlflow: Mapping[str, Any] | None) -> list[str]:
    if not mlflow:
        return []
    hint = "" if mlflow["running"] else " (start it first: lmforge up)"
    return ["", f"The same in MLflow{hint}:", mlflow["url"]]


def _wrapped(text: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip()) + 2)
    return textwrap.wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _minute(started: str) -> str:
    return started[:16].replace("T", " ")


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"
