"""Two systems' stored answers to one test set, paired example by example: the gain, and the parts where it is a loss.

It is the comparison that a gate makes, on evidence that is there already; nothing is judged or promoted by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lmforge.artifacts import Artifact

Artifacts = Mapping[str, "Artifact"]


def pair_task(
    before: Artifacts, after: Artifacts, document: Mapping[str, Any], recipe: Mapping[str, Any]
) -> dict[str, Any]:
    """The paired gain of one task, second minus first, and `slices`; or the `reason` why there is none.

    before, after: the artifacts of two runs by stage. document: what the second run left on the task.
    """
    from lmforge.evaluation.intervals import paired_bootstrap
    from lmforge.evaluation.predictions import paired_ids, read_predictions

    label, evaluate = f"label-{document['task']}", f"evaluate-{document['task']}"
    if not all(is_stored(side.get(stage)) for side in (before, after) for stage in (label, evaluate)):
        return {"reason": "evidence of a run is no longer in the store"}
    if len({side[label].manifest.facts["test_digest"] for side in (before, after)}) > 1:
        return {"reason": "the runs have different test sets"}
    second, first = (read_predictions(side[evaluate].path / "model") for side in (after, before))
    labels = sorted({value for frame in (second, first) for column in ("gold", "predicted") for value in frame[column]})
    ids = paired_ids(second, first, labels)
    release = {"resamples": 10_000, "alpha": 0.01} | recipe.get("release", {})
    found = paired_bootstrap(
        *ids, len(labels), document["metric"],
        resamples=release["resamples"], alpha=release["alpha"], seed=recipe.get("seed", 0),
    )  # fmt: skip
    return found.model_dump() | {"slices": _slices(second, first, after[label], release.get("slices") or {})}


def is_stored(artifact: Artifact | None) -> bool:
    """Whether an artifact is still where the run left it."""
    return artifact is not None and (artifact.path / "manifest.json").is_file()


def _slices(second: Any, first: Any, labelled: Artifact, settings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row a part of the test set, the largest loss first.

    `change` of the mean score, negative where the second is worse; `worse` where that is shown beyond the limit that
    the recipe sets, after the correction for looking at many parts; `judged` is False where there are too few examples.
    """
    from lmforge.evaluation.classification import read_slices
    from lmforge.recipe.release import Slices
    from lmforge.release.examples import classification_examples
    from lmforge.release.rules.slices import judge_slices
    from lmforge.reporting.excerpts import presentable

    # A recipe of an older version may have other settings; without a limit any loss counts.
    known = {name: value for name, value in settings.items() if name in Slices.model_fields and value is not None}
    policy = Slices.model_validate({"max_regression": 0.0} | known if settings else known)
    test = labelled.path / "test.parquet"
    examples = classification_examples(second, first, read_slices(labelled.path) if test.is_file() else None)
    rules = judge_slices(examples, policy, champion=True)
    rows = [
        {
            "slice": name,
            "num_examples": int(rule.numbers["num_examples"]),
            "change": 0.0 - float(rule.observed or 0.0),
            "judged": rule.judged,
            "worse": not rule.passed,
        }
        for name, rule in zip(presentable([rule.name for rule in rules]), rules, strict=True)
    ]
    return sorted(rows, key=lambda row: (row["change"], row["slice"]))
