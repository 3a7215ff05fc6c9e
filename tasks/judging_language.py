"""Gather what the gate decides on for a base model: what each held-out document costs it and the champion.

The stage `evaluate-language` has scored the version; its registered files must be those that the stage scored, to the
last byte. The champion reads the same documents now, with its own tokenizer.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmforge.artifacts import Artifact
from lmforge.errors import IntegrityError
from lmforge.hashing import hash_file, hash_value
from lmforge.serving.self_test import answers_in_clean_process
from tasks import tracking
from tasks.context import Run
from tasks.judged import NUM_TIMED_TEXTS, computed_by, subject_of, time_both, version_directory
from tasks.registering_base import OBJECTIVE_TAG

if TYPE_CHECKING:
    import polars as pl

    from lmforge.evaluation.language_comparing import Contender
    from lmforge.release.evidence import Evidence, SelfTest
    from lmforge.release.examples import Answers


def gather_language_evidence(
    run: Run, name: str, version: str, champion: str | None, made: dict[str, Artifact]
) -> Evidence:
    """The evidence on `version` of the base model `name`, against the version `champion` if there is one.

    made: by stage name. Raises RefusedError, with how to go on, for a champion that no number compares with.
    """
    import polars as pl

    from lmforge.evaluation.language import DOCUMENTS
    from lmforge.evaluation.language_documents import held_out_documents
    from lmforge.release.evidence import Evidence, Facts

    evaluated = made["evaluate-language"]
    policy, judged = run.recipe.release, evaluated.manifest.facts["documents"]
    documents, overlapping = held_out_documents(made["clean"].path, policy.max_documents)
    scores, others, latency = pl.read_parquet(evaluated.path / DOCUMENTS), None, None
    floors: dict[str, float] = judged["floors"]
    if champion is not None:
        first, second = (_contender(run, name, one) for one in (version, champion))
        again, others = _score_both(run, first, second, documents)
        if again is not None:
            # Shorter pieces hide other tokens than counts were asked for. The champion is above its floor, and this
            # version has to be better than the champion.
            scores, floors = again, {}
        latency = _time(first, second, documents)
    facts = Facts(
        name=name,
        task_kind="language_model",
        metric=judged["metric"],
        baselines={floor: -value for floor, value in floors.items()},
        test_digest=hash_value(documents.rows()),
        overlapping_ids=overlapping,
        self_test=_self_test(version_directory(run.home, name, version), made["pretrain"].path / "model", scores),
        challenger=subject_of(run.home, name, version),
        champion=subject_of(run.home, name, champion) if champion else None,
        # A digest that a recipe with tasks pins is that of labelled examples.
        policy=policy.model_copy(update={"test_digest": None}) if run.recipe.tasks else policy,
        seed=run.recipe.seed,
        code=evaluated.manifest.code,
        environment=computed_by() | {"documents": f"at most {policy.max_documents}, by a hash of their ids"},
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    return Evidence(facts, _examples(scores, others, judged["metric"]), latency)


def _contender(run: Run, name: str, version: str) -> Contender:
    from lmforge.evaluation.language_comparing import Contender

    tags: dict[str, str] = tracking.client(run.home).get_model_version(name, version).tags
    return Contender(f"{name}/{version}", tags.get(OBJECTIVE_TAG), version_directory(run.home, name, version))


def _score_both(
    run: Run, challenger: Contender, champion: Contender, documents: pl.DataFrame
) -> tuple[pl.DataFrame | None, pl.DataFrame]:
    """Scores of the challenger, None where those of its evaluation hold, and of the champion."""
    from lmforge.evaluation.language_comparing import require_comparable
    from lmforge.evaluation.language_documents import DocumentScorer, measured, metric_of, own_length

    require_comparable(challenger, champion, documents)
    settings = measured(run.recipe.pretraining)
    if metric_of(settings) == "bits_per_byte":
        # How much of a text it can read at once is part of how good a causal model is.
        return None, DocumentScorer(champion.directory, settings).score(documents)
    lengths = [own_length(one.directory, settings.max_seq_length) for one in (challenger, champion)]
    others = DocumentScorer(champion.directory, settings, lengths[0]).score(documents)
    if lengths[1] >= lengths[0]:
        return None, others
    return DocumentScorer(challenger.directory, settings, lengths[1]).score(documents), others


def _time(challenger: Contender, champion: Contender, documents: pl.DataFrame) -> pl.DataFrame:
    from lmforge.serving.language import LanguageModel

    calls = [LanguageModel(one.directory).answer for one in (challenger, champion)]
    return time_both(calls[0], calls[1], documents["text"].head(NUM_TIMED_TEXTS).to_list())


def _self_test(registered: Path, evaluated: Path, scores: pl.DataFrame) -> SelfTest:
    from lmforge.release.evidence import SelfTest

    same = all(
        path.is_file() and hash_file(path) == hash_file(one)
        for one in sorted(evaluated.iterdir())
        for path in [registered / one.name]
    )
    try:
        answers_in_clean_process(registered)
    except IntegrityError as error:
        return SelfTest(files_verified=same, answered=False, words=str(error))
    return SelfTest(files_verified=same, answered=True, words=f"{len(scores)} documents were scored with these files")


def _examples(scores: pl.DataFrame, others: pl.DataFrame | None, metric: str) -> pl.DataFrame:
    from lmforge.release.examples import examples_frame

    slices = {"length": [_length(number) for number in scores["num_words"]]}
    champion = None if others is None else _answers(others, metric)
    ids = scores["id"].to_list()
    return examples_frame(ids, [""] * len(ids), _answers(scores, metric), champion, slices)


def _answers(scores: pl.DataFrame, metric: str) -> Answers:
    """Bits of a document with its bytes, or nats of its hidden tokens with their number; scores are negative."""
    from lmforge.evaluation.language_documents import BITS_PER_BYTE
    from lmforge.release.examples import Answers

    rows: list[dict[str, Any]] = scores.to_dicts()
    unit, weight = (math.log(2.0), "num_bytes") if metric == BITS_PER_BYTE else (1.0, "num_tokens")
    costs = [row["nats"] / unit for row in rows]
    weights = [float(row[weight]) for row in rows]
    rates = [cost / (size or 1.0) for cost, size in zip(costs, weights, strict=True)]
    losses = [row["nats"] / max(1, row["num_tokens"]) for row in rows]
    return Answers([f"{rate:.4f}" for rate in rates], [-cost for cost in costs], weights, losses)


def _length(num_words: int) -> str:
    """The slice of a document by its words, in steps of four."""
    return next((f"{low}-{high - 1}" for low, high in _STEPS if num_words < high), f"{_STEPS[-1][1]}+")


_STEPS = ((0, 16), (16, 64), (64, 256), (256, 1024))
