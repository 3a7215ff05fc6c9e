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
    return "\n".join([*lines, "", f"{document['num_test_examples']:,} test examples.", *_following(document)])


def base_rows(document: Mapping[str, Any]) -> list[tuple[str, float]]:
    """System and value of a base model's metric, the best first; less is better."""
    rows = {"this model": document["value"]} | {f"{name} counts": one for name, one in document["floors"].items()}
    return sorted(rows.items(), key=lambda row: row[1])


def base_table(document: Mapping[str, Any]) -> str:
    """The values of a base model and of its floors, and the verdict, as Markdown."""
    head = f"**{document['registered_model']} version {document['version']}**: {document['summary']}"
    lines = [head, "", f"| system | {document['metric']} |", "|---|---|"]
    lines += [f"| {name} | {value:.3f} |" for name, value in base_rows(document)]
    return "\n".join([*lines, "", f"{document['num_documents']:,} held-out documents.", *_following(document)])


def _following(document: Mapping[str, Any]) -> list[str]:
    return ["", f"It {document['next']}"] if "next" in document else []
