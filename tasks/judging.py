"""Gather what the gate decides on: both models answer the frozen test set now, and are timed call by call.

The registered files are what is asked, not the training's directory: they must give the answers that the evidence of
the stage `evaluate` holds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version as library_version
from pathlib import Path
from typing import TYPE_CHECKING

from lmforge import __version__
from lmforge.artifacts import Artifact
from lmforge.errors import IntegrityError
from lmforge.home import Home
from lmforge.recipe.schema import Task
from lmforge.serving.self_test import answers_in_clean_process
from tasks import registry
from tasks.context import Run
from tasks.evaluate import read_metrics
from tasks.promotion import files_hash

if TYPE_CHECKING:
    import polars as pl

    from lmforge.release.evidence import Evidence, SelfTest, Subject
    from lmforge.serving.classifier import Answer, Classifier

NUM_TIMED_TEXTS = 100
BASELINES = ("majority", "tfidf_linear")
LIBRARIES = ("numpy", "polars", "scipy", "torch", "transformers")
# Batches of other sizes add in another order.
_TOLERANCE = 1e-3


def gather_evidence(
    run: Run, task: Task, name: str, version: str, champion: str | None, labelled: Artifact, evaluated: Artifact
) -> Evidence:
    """The evidence on `version` of the registered model `name`, against the version `champion` if there is one.

    evaluated: what the stage `evaluate` left. Raises InputError when the champion knows other labels.
    """
    import polars as pl

    from lmforge.evaluation.classification import answer, read_labels
    from lmforge.evaluation.predictions import read_predictions
    from lmforge.release.evidence import Evidence, Facts
    from lmforge.release.examples import classification_examples
    from lmforge.release.latency import time_interleaved
    from lmforge.serving.classifier import Classifier

    asked = _directory(run.home, name, version)
    answers = read_predictions(evaluated.path / "model")
    test = pl.read_parquet(labelled.path / "test.parquet", columns=["id", "text"])
    model, others, latency = Classifier(asked), None, None
    texts = test["text"].head(NUM_TIMED_TEXTS).to_list()
    found = model.predict(texts)
    if champion is not None:
        held = _directory(run.home, name, champion)
        with tempfile.TemporaryDirectory(dir=run.directory) as scratch:
            answer(held, labelled.path, Path(scratch))
            others = read_predictions(Path(scratch))
        # A small test set is gone through more than once: the ratio needs its number of pairs.
        timed = (texts * -(-NUM_TIMED_TEXTS // len(texts)))[:NUM_TIMED_TEXTS]
        latency = time_interleaved(_one(model), _one(Classifier(held)), timed)
    systems = read_metrics(evaluated)["systems"]
    facts = Facts(
        name=name,
        task_kind=task.kind,
        metric=task.metric,
        labels=tuple(read_labels(labelled.path)),
        minimum=task.minimum,
        baselines={each: systems[each][task.metric]["value"] for each in BASELINES},
        test_digest=labelled.manifest.facts["test_digest"],
        overlapping_ids=_overlapping(labelled.path, test),
        self_test=_self_test(asked, found, answers.join(test.head(len(found)), on="id")),
        challenger=_subject(run.home, name, version),
        champion=_subject(run.home, name, champion) if champion else None,
        policy=run.recipe.release,
        seed=run.recipe.seed,
        code=evaluated.manifest.code,
        environment={"lmforge": __version__} | {each: library_version(each) for each in LIBRARIES},
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Evidence(facts, classification_examples(answers, others), latency)


def _directory(home: Home, name: str, version: str) -> Path:
    return registry.model_directory(home, f"{registry.SCHEME}{name}/{version}")


def _one(model: Classifier) -> Callable[[str], list[Answer]]:
    return lambda text: model.predict([text])


def _subject(home: Home, name: str, version: str) -> Subject:
    from lmforge.release.evidence import Subject

    files = [path for path in _directory(home, name, version).rglob("*") if path.is_file()]
    size_bytes = sum(path.stat().st_size for path in files)
    return Subject(version=version, fingerprint=files_hash(home, name, version), size_bytes=size_bytes)


def _self_test(directory: Path, found: list[Answer], stored: pl.DataFrame) -> SelfTest:
    """stored: the rows of the same texts in the evidence, in any order."""
    from lmforge.release.evidence import SelfTest

    told = sorted(stored["score"].to_list())
    given = sorted(answer.probability for answer in found)
    same = len(told) == len(given) and all(
        abs(one - other) <= _TOLERANCE for one, other in zip(told, given, strict=True)
    )
    try:
        answers_in_clean_process(directory)
    except IntegrityError as error:
        return SelfTest(files_verified=same, answered=False, words=str(error))
    return SelfTest(files_verified=same, answered=True, words=f"{len(given)} answers compared with the evaluation's")


def _overlapping(labelled: Path, test: pl.DataFrame) -> tuple[str, ...]:
    """Test examples whose text is among those to learn from, upper and lower case and space aside."""
    import polars as pl

    plain = pl.col("text").str.to_lowercase().str.replace_all(r"\s+", " ").str.strip_chars()
    files = [labelled / f"{split}.parquet" for split in ("train", "validation")]
    seen = pl.concat([pl.read_parquet(path, columns=["text"]).select(plain) for path in files if path.is_file()])
    return tuple(sorted(test.select("id", plain).join(seen, on="text", how="semi")["id"].to_list()))
