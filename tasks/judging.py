"""Gather what the gate decides on: both models answer the frozen test set now, some of it also with its text changed,
and are timed call by call.

The registered files are what is asked, not the training's directory: they must give the answers that the evidence of
the stage `evaluate` holds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lmforge.artifacts import Artifact
from lmforge.errors import IntegrityError
from lmforge.recipe.schema import Task
from lmforge.serving.self_test import answers_in_clean_process
from tasks.context import Run
from tasks.evaluate import read_metrics
from tasks.judged import NUM_TIMED_TEXTS, computed_by, subject_of, time_both, version_directory

if TYPE_CHECKING:
    import polars as pl

    from lmforge.release.evidence import Evidence, SelfTest
    from lmforge.serving.classifier import Answer, Classifier

BASELINES = ("majority", "tfidf_linear")
# Batches of other sizes add in another order.
_TOLERANCE = 1e-3


def gather_evidence(
    run: Run, task: Task, name: str, version: str, champion: str | None, labelled: Artifact, evaluated: Artifact
) -> Evidence:
    """The evidence on `version` of the registered model `name`, against the version `champion` if there is one.

    evaluated: what the stage `evaluate` left. Raises InputError when the champion knows other labels.
    """
    import polars as pl

    from lmforge.evaluation.classification import answer, read_labels, read_slices
    from lmforge.evaluation.predictions import read_predictions
    from lmforge.release.evidence import Evidence, Facts
    from lmforge.release.examples import classification_examples
    from lmforge.release.variants import answer_variants
    from lmforge.serving.classifier import Classifier

    asked = version_directory(run.home, name, version)
    answers = read_predictions(evaluated.path / "model")
    test = pl.read_parquet(labelled.path / "test.parquet", columns=["id", "text"])
    model, rival, others, latency = Classifier(asked), None, None, None
    texts = test["text"].head(NUM_TIMED_TEXTS).to_list()
    found = model.predict(texts)
    if champion is not None:
        held = version_directory(run.home, name, champion)
        with tempfile.TemporaryDirectory(dir=run.directory) as scratch:
            answer(held, labelled.path, Path(scratch))
            others = read_predictions(Path(scratch))
        rival = Classifier(held)
        latency = time_both(_one(model), _one(rival), texts)
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
        challenger=subject_of(run.home, name, version),
        champion=subject_of(run.home, name, champion) if champion else None,
        policy=run.recipe.release,
        seed=run.recipe.seed,
        code=evaluated.manifest.code,
        environment=computed_by(),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    examples = classification_examples(answers, others, read_slices(labelled.path))
    variants = answer_variants(model, rival, test, examples, facts.policy, facts.seed)
    return Evidence(facts, examples, latency, variants)


def _one(model: Classifier) -> Callable[[str], list[Answer]]:
    return lambda text: model.predict([text])


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
    """Test examples whose text stands in one to learn from, wholly or nearly."""
    import polars as pl

    from lmforge.deduplication.contained import contained

    files = [labelled / f"{split}.parquet" for split in ("train", "validation")]
    seen = pl.concat([pl.read_parquet(path, columns=["text"])["text"] for path in files if path.is_file()])
    return tuple(sorted(test["id"].filter(pl.Series(contained(test["text"], seen)))))
