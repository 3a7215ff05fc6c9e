"""The README.md of a released model, in the form that transformers and model hubs read.

Labels, source names and reasons come from data: they are escaped for Markdown and HTML, and quoted in the front matter.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence

from lmforge.release.card_facts import CardFacts, Setting, TrainingData

# Enough for a label or a path; a document that strays into the facts does not fill the card.
MAX_TEXT_CHARS = 200
# The names that evaluation libraries use, which hubs look up.
_HUB_METRICS = {"macro_f1": "f1", "accuracy": "accuracy"}
_AUTO_CLASSES = {
    "text-classification": "AutoModelForSequenceClassification",
    "fill-mask": "AutoModelForMaskedLM",
    "text-generation": "AutoModelForCausalLM",
    "text2text-generation": "AutoModelForSeq2SeqLM",
}
# What means something anywhere in a line, what does only at its start, and what turns a bare address into a link.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()!|~$]|^[#+=-]|:(?=//)|(?<=www)\.")
_NOT_MEASURED = (
    "Text of other domains, times or languages than the training data was not tested.",
    "Calibration, robustness to typing errors and whether answers depend on whom a text speaks of are no part of this "
    "card: it is written before a version is judged. For a classifier they stand on the page of the release gate.",
    "Whether the model repeats training text word for word was not measured.",
    "Intervals show the luck of the test set; the luck of the training seed was not measured.",
)


def model_card(facts: CardFacts) -> str:
    """Write the card as Markdown with YAML front matter; the same facts give the same text."""
    sections = {
        "What it is": _description(facts),
        "How to use it": _usage(facts),
        "Training data": [line for data in facts.data for line in _data(data)],
        "Tokenizer": _settings(facts.tokenizer),
        "Pre-training": _settings(facts.pretraining),
        "Fine-tuning": _settings(facts.finetuning),
        "Results": _results(facts),
        "Limits": [f"- {line}" for line in (*_NOT_MEASURED, *map(_escape, facts.limits))],
        "Fingerprints": _table(
            ("artifact", "SHA-256"), [(_escape(k), _escape(v)) for k, v in facts.fingerprints.items()]
        ),
    }
    lines = [*_front_matter(facts), "", f"# {_escape(facts.registered_model)}"]
    for title, body in sections.items():
        if body:
            lines += ["", f"## {title}", "", *body]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)) + "\n"


def _front_matter(facts: CardFacts) -> list[str]:
    lists = {
        "language": facts.languages,
        "tags": ("lmforge", str(facts.architecture.get("architecture", "transformers"))),
        "metrics": sorted({_HUB_METRICS.get(result.metric, result.metric) for result in facts.results}),
    }
    lines = ["---", "library_name: transformers", f"pipeline_tag: {facts.pipeline_tag}"]
    for key, values in lists.items():
        if values:
            lines += [f"{key}:", *(f"- {_quote(value)}" for value in values)]
    return [*lines, "---"]


def _description(facts: CardFacts) -> list[str]:
    lines = [f"A language model of {facts.num_parameters:,} parameters. What it does: {_escape(facts.objective)}."]
    if facts.labels:
        lines += ["", f"It chooses one of {len(facts.labels)} labels: {', '.join(map(_escape, facts.labels))}."]
    if facts.verdict:
        lines += ["", f"Verdict of the release gate: {_escape(facts.verdict)}."]
    return [*lines, "", *_settings(facts.architecture)]


def _usage(facts: CardFacts) -> list[str]:
    uri = f"models:/{facts.registered_model}@champion"
    # MLflow loads what transformers has a pipeline for.
    load = "artifacts.download_artifacts" if facts.pipeline_tag == "text2text-generation" else "pyfunc.load_model"
    lines = [
        "With transformers alone, from the directory of this file:", "",
        "```python",
        f"from transformers import {_AUTO_CLASSES[facts.pipeline_tag]}, AutoTokenizer", "",
        'tokenizer = AutoTokenizer.from_pretrained(".")',
        f'model = {_AUTO_CLASSES[facts.pipeline_tag]}.from_pretrained(".")',
        "```", "",
        "From the MLflow registry, the version in production:", "",
        "```python",
        "import mlflow", "",
        f'model = mlflow.{load}("{uri}")',
        "```",
    ]  # fmt: skip
    if facts.pipeline_tag != "text-classification":
        return lines
    command = ["```", f'lmforge predict {facts.registered_model} "a text to classify"', "```"]
    return [*lines, "", "From the command line:", "", *command]


def _data(data: TrainingData) -> list[str]:
    counts = data.counts
    numbers = (counts.read, counts.kept, counts.repaired, counts.quarantined)
    head = (f"{_escape(counts.unit)} read", "kept unchanged", "repaired", "quarantined")
    lines = [f"For {_escape(data.purpose)}, from {', '.join(map(_escape, data.sources))}:", ""]
    lines += [*_table(head, [[f"{number:,}" for number in numbers]]), ""]
    if counts.reasons:
        ordered = sorted(counts.reasons.items(), key=lambda reason: (-reason[1], reason[0]))
        lines += [*_table(("reason for quarantine", "records"), [(_escape(k), f"{v:,}") for k, v in ordered]), ""]
    return lines


def _results(facts: CardFacts) -> list[str]:
    lines: list[str] = []
    if facts.results:
        rows = [
            (_escape(result.system), _escape(result.metric), f"{result.value:.4f}", _limits(result.low, result.high))
            for result in facts.results
        ]
        examples = "" if facts.num_test_examples is None else f" of {facts.num_test_examples:,} examples"
        lines += [f"On the test set{examples}, which was held out of training:", ""]
        lines += [*_table(("system", "metric", "value", "95 % interval"), rows), ""]
    if facts.language_losses:
        losses = [(_escape(name), f"{nats:.4f}") for name, nats in facts.language_losses.items()]
        lines += ["On held-out text of the corpus:", "", *_table(("system", "nats a token"), losses), ""]
    return lines


def _limits(low: float | None, high: float | None) -> str:
    return "not computed" if low is None or high is None else f"{low:.4f} to {high:.4f}"


def _settings(settings: Mapping[str, Setting]) -> list[str]:
    if not settings:
        return []
    return _table(("setting", "value"), [(_escape(name), _escape(str(value))) for name, value in settings.items()])


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _escape(text: str) -> str:
    """One line of literal text, neither Markdown nor HTML."""
    return _MARKDOWN.sub(r"\\\g<0>", html.escape(_one_line(text), quote=False))


def _quote(text: str) -> str:
    # Not ASCII only: JSON writes rare characters as surrogate pairs, which YAML does not know.
    return json.dumps(_one_line(text), ensure_ascii=False)


def _one_line(text: str) -> str:
    """Printable characters on one line, at most MAX_TEXT_CHARS."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_TEXT_CHARS else f"{line[: MAX_TEXT_CHARS - 3]}..."
