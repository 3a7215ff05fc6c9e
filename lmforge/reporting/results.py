"""A task's results in words and tables: Markdown for the user interfaces, plain text for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

SYSTEM_NAMES = {
    "model": "this model",
    "scratch": "same network, no pre-training",
    "tfidf_linear": "TF-IDF + linear",
    "majority": "majority class",
}


def results_rows(document: Mapping[str, Any]) -> Iterator[tuple[str, float, float, float]]:
    """System, value and 95 % limits of the task's metric, the best first."""
    systems = {"model": document["metrics"], **document["baselines"]}
    scores = [(SYSTEM_NAMES.get(name, name), one[document["metric"]]) for name, one in systems.items()]
    for name, score in sorted(scores, key=lambda row: -row[1]["value"]):
        yield name, score["value"], score["low"], score["high"]


def results_table(document: Mapping[str, Any]) -> str:
    """The results and the verdict as Markdown."""
    head = f"**{document['registered_model']} version {document['version']}**: {document['summary']}"
    lines = [head, "", f"| system | test {document['metric']} | 95 % interval |", "|---|---|---|"]
    lines += [
        f"| {name} | {value:.3f} | {low:.3f} to {high:.3f} |" for name, value, low, high in results_rows(document)
    ]
    return "\n".join([*lines, "", f"{document['num_test_examples']:,} test examples."])
