"""One page about the data of a run: what came in, what was set aside and why, and what is left to learn from.

The same artifacts give the same page, whenever it is made. Text of the data in it is masked and escaped, there is no
script, and the page's content policy forbids loading anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmforge.artifacts.artifact import Artifact
from lmforge.errors import InputError
from lmforge.reporting import data_report_charts as charts
from lmforge.reporting.data_report_losses import personal_data, rejections, repairs, tags, unused_columns
from lmforge.reporting.data_report_mixes import labels, lengths, mixes, tokens
from lmforge.reporting.data_report_stages import (
    DataStage,
    drift_rows,
    file_changes,
    read_stages,
    stage_rows,
    suite_rows,
)
from lmforge.reporting.data_report_twins import duplicates, overlaps
from lmforge.reporting.lines import size_words
from lmforge.reporting.pages import render_page


def data_report(recipe: str, run_id: str, made: Mapping[str, Artifact], reports: Path) -> dict[str, Any]:
    """Everything that the page shows, as one JSON document; text of the data in it is fit to be shown.

    made: the artifacts of a run by stage; those of other stages are passed over. reports: where the run's gates left
    their reports, by stage. Raises InputError where the run has no data stage, IntegrityError for damaged files.
    """
    stages = read_stages(made, reports)
    if not stages:
        raise InputError(
            f"run {run_id} of {recipe} has no data stage: nothing was collected, labelled, cleaned or tokenized; "
            "see the other runs: lmforge runs"
        )
    by_kind: dict[str, list[DataStage]] = {}
    for stage in stages:
        by_kind.setdefault(stage.manifest.kind if stage.manifest else "", []).append(stage)
    labelled, clean = by_kind.get("labelled", []), next(iter(by_kind.get("clean_corpus", [])), None)
    collect = next(iter(by_kind.get("raw_corpus", [])), None)
    return {
        "recipe": recipe,
        "run_id": run_id,
        "stages": stage_rows(stages),
        "suites": suite_rows(stages),
        "files": file_changes(collect) if collect else None,
        "drift": drift_rows(stages),
        "rejections": rejections(stages),
        "repairs": repairs(stages),
        "personal_data": personal_data(stages),
        "tags": tags(stages),
        "unused_columns": unused_columns(collect) if collect else [],
        "duplicates": duplicates(clean) if clean else None,
        "overlaps": overlaps(clean, labelled) if clean else [],
        "mixes": mixes(collect, clean) if collect else {},
        "lengths": lengths(stages),
        "labels": labels(labelled),
        "tokens": next(map(tokens, by_kind.get("tokens", [])), None),
    }


def render_data_report(document: Mapping[str, Any], links: Mapping[str, str]) -> str:
    """The page of a document: the same document and links give the same bytes.

    links: address of the Data Docs by stage, relative to the page; a stage without one gets no link.
    """
    filters = {"brief": _brief, "percent": _percent, "size": size_words}
    first, end = charts.used_bins(document["lengths"])
    drawn = [{**one, "chart": _chart(one, first, end)} for one in document["lengths"]]
    context = {**document, "lengths": drawn, "bins": charts.bin_names(first, end), "verdict": _verdict(document)}
    return render_page("data_report.html", context | {"links": links, "bar": charts.bar}, filters)


def _chart(one: Mapping[str, Any], first: int, end: int) -> Any:
    then = one["then"][first:end] if one["then"] else None
    return charts.histogram(one["counts"][first:end], then, f"words a text in {one['name']}")


def _verdict(document: Mapping[str, Any]) -> tuple[str, str]:
    """The class and the words of the mark at the head of the page."""
    suites = document["suites"]
    failed = [suite["stage"] for suite in suites if not suite["passed"]]
    if failed:
        return "bad", f"Stopped at {', '.join(failed)}"
    num_warnings = sum(suite["num_warnings"] for suite in suites)
    if num_warnings:
        return "odd", f"Passed, {num_warnings} warning{'' if num_warnings == 1 else 's'}"
    return ("good", "Passed") if suites else ("none", "Not judged")


def _brief(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3g}"


def _percent(share: float | None) -> str:
    if share is None:
        return "unknown"
    if 0 < share < 0.0005:
        return "< 0.1 %"
    return f"{100 * share:.1f} %"
