"""Evidence for a classifier: what it, the same network from scratch and the baselines answered on the frozen test set.

Everything that a verdict needs is written per example; metrics are derived from there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lmforge.evaluation.baselines import majority, tfidf_linear
from lmforge.evaluation.figures import confusion_figure
from lmforge.evaluation.intervals import Interval, bootstrap_interval
from lmforge.evaluation.metrics import classification_metrics, label_ids
from lmforge.evaluation.predictions import write_predictions
from lmforge.recipe.schema import Baselines
from lmforge.release.examples import SLICE
from lmforge.serving.classifier import Classifier
from lmforge.wording import cell

METRICS = ("macro_f1", "accuracy")
METRICS_FILE = "metrics.json"
BASELINES_FILE = "baselines.parquet"


def answer_baselines(labelled: Path, out: Path, seed: int, options: Baselines | None = None) -> None:
    """Write what the majority class and TF-IDF with a linear model answer on the test set."""
    train, test = (pl.read_parquet(labelled / f"{split}.parquet") for split in ("train", "test"))
    answers = {
        "id": test["id"],
        "majority": majority(train["label"].to_list(), len(test)),
        "tfidf_linear": tfidf_linear(
            train["text"].to_list(), train["label"].to_list(), test["text"].to_list(), seed=seed, options=options
        ),
    }
    pl.DataFrame(answers).write_parquet(out / BASELINES_FILE)


def evaluate_classifier(
    models: Mapping[str, Path], labelled: Path, baselines: Path, out: Path, *, seed: int, resamples: int
) -> dict[str, Any]:
    """Write predictions, metrics and the confusion figure to `out`; return the metrics.

    models: model directories by system name; `model` is the one that may be released, others are baselines.
    The result maps each system to `{metric: {low, value, high, confidence}}`, with `per_class` and `confusion` beside.
    """
    labels = read_labels(labelled)
    gold = pl.read_parquet(labelled / "test.parquet")["label"].to_list()
    answers = {name: answer(directory, labelled, out / name) for name, directory in models.items()}
    answers |= pl.read_parquet(baselines / BASELINES_FILE).drop("id").to_dict(as_series=False)
    systems = {name: _score(gold, found, labels, seed, resamples) for name, found in answers.items()}
    detail = classification_metrics(gold, answers["model"], labels)
    confusion_figure(detail["confusion"], labels, out / "confusion.png")
    rows = [row | {"label": cell(row["label"])} for row in detail["per_class"]]
    pl.DataFrame(rows).write_csv(out / "per_class.csv")
    result = {
        "systems": {
            name: {metric: one.model_dump() for metric, one in scores.items()} for name, scores in systems.items()
        },
        "per_class": detail["per_class"],
        "num_test_examples": len(gold),
    }
    (out / METRICS_FILE).write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return result


def answer(model: Path, labelled: Path, out: Path) -> list[str]:
    """Write a model's predictions on the test set to the directory `out`; return the predicted labels."""
    test = pl.read_parquet(labelled / "test.parquet")
    classifier = Classifier(model)
    probabilities = classifier.probabilities(test["text"].to_list())
    predicted = [classifier.labels[index] for index in probabilities.argmax(-1)]
    gold = label_ids(test["label"].to_list(), classifier.labels)
    # A float32 probability may round to 0; its loss stays finite.
    losses = -np.log(np.maximum(probabilities[np.arange(len(gold)), gold], np.finfo(np.float32).tiny))
    out.mkdir(parents=True, exist_ok=True)
    write_predictions(
        out,
        ids=test["id"].to_list(),
        gold=test["label"].to_list(),
        predicted=predicted,
        scores=probabilities.max(-1),
        losses=losses,
        num_words=[len(text.split()) for text in test["text"]],
    )
    return predicted


def read_labels(labelled: Path) -> list[str]:
    """The labels of a labelled artifact, in the order of the model's outputs."""
    labels: list[str] = json.loads((labelled / "labels.json").read_text(encoding="utf-8"))
    return labels


def read_slices(labelled: Path) -> pl.DataFrame | None:
    """The columns of the test examples that are slice keys: `id` and a column a key; None where the recipe names none.

    Artifacts that were made before slices could be named have none either.
    """
    test = pl.read_parquet(labelled / "test.parquet")
    keys = [name for name in test.columns if name.startswith(SLICE)]
    return test.select("id", *(pl.col(name).alias(name.removeprefix(SLICE)) for name in keys)) if keys else None


def _score(gold: list[str], predicted: list[str], labels: list[str], seed: int, resamples: int) -> dict[str, Interval]:
    ids = label_ids(gold, labels), label_ids(predicted, labels)
    return {metric: bootstrap_interval(*ids, len(labels), metric, resamples=resamples, seed=seed) for metric in METRICS}
