"""What the data stages of a run left: sizes, verdicts, drift, and the files that arrived since the last accepted run.

A stage that is reused was judged when it was made, beside what had been accepted until then; so the comparison is
with the last accepted data that differ, however many runs ago they were made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmforge.artifacts.artifact import MANIFEST, Artifact, Manifest
from lmforge.errors import IntegrityError
from lmforge.reporting.excerpts import presentable
from lmforge.sources.collecting import FILES, changes
from lmforge.text.profiling import read_profile
from lmforge.wording import shown

# In the order in which the text passes through them.
KINDS = ("raw_corpus", "clean_corpus", "labelled", "tokens")
NUM_FILES = 15
_VERDICTS = ("holds", "warns", "broken")
_VALIDATION, _PAGE = "validation.json", "data_docs.html"
_BROKEN_PLACES = ("collect", "clean", "label-", "tokenize")


@dataclass(frozen=True)
class DataStage:
    """A data stage with what it and its gate left.

    manifest, path: None where the gate stopped the stage. profile, validation: None where there is none. page: its
    Data Docs.
    """

    name: str
    path: Path | None
    manifest: Manifest | None
    profile: Mapping[str, Any] | None
    validation: Mapping[str, Any] | None
    page: Path | None

    @property
    def earlier(self) -> Path | None:
        """The artifact that the gate compared this one with, if the store still has it."""
        key = (self.validation or {}).get("compared_with")
        if not key or self.path is None:
            return None
        place = self.path.parent / str(key)
        return place if (place / MANIFEST).is_file() else None


def read_stages(made: Mapping[str, Artifact], reports: Path) -> list[DataStage]:
    """The data stages among `made`, by kind and name, then those that left but a report: their gate stopped them.

    reports: directory of the run's validation reports, by stage. Raises IntegrityError for a file that is no JSON.
    """
    kept = {name: artifact for name, artifact in made.items() if artifact.kind in KINDS}
    ordered = sorted(kept, key=lambda name: (KINDS.index(kept[name].kind), name))
    stages = [_read(name, kept[name], reports / name) for name in ordered]
    others = sorted(path for path in reports.glob("*") if path.name not in kept and _is_data(path.name))
    stopped = [DataStage(path.name, None, None, None, *_judged(path)) for path in others]
    return stages + [stage for stage in stopped if stage.validation]


def stage_rows(stages: list[DataStage]) -> list[dict[str, Any]]:
    """Sizes of each stage that left an artifact: how records balance, documents, words and bytes on disk."""
    rows = []
    for stage in stages:
        if stage.manifest is None:
            continue
        manifest, profile = stage.manifest, stage.profile or {}
        counts = manifest.counts.model_dump(exclude={"reasons"})
        rows.append(
            {
                "stage": shown(stage.name),
                "key": manifest.key,
                **counts,
                "num_documents": profile.get("num_documents", manifest.facts.get("num_documents")),
                "num_words": profile.get("num_words", manifest.facts.get("num_words")),
                # The report below logs/ is no data, and it may differ between two runs that made the same.
                "size_bytes": sum(size for name, size in manifest.sizes_bytes.items() if not name.startswith("logs/")),
            }
        )
    return rows


def suite_rows(stages: list[DataStage]) -> list[dict[str, Any]]:
    """The verdict of each suite with the promises that it found broken."""
    rows = []
    for stage in stages:
        if judged := stage.validation:
            wrong = [one for one in judged["outcomes"] if one["verdict"] in ("broken", "warns")]
            rows.append(
                {
                    "stage": shown(stage.name),
                    "suite": judged["suite"],
                    "passed": judged["passed"],
                    "num_expectations": len(judged["outcomes"]),
                    "num_warnings": judged["num_warnings"],
                    "compared_with": judged["compared_with"],
                    "wrong": [_measured(one) for one in wrong],
                }
            )
    return rows


def drift_rows(stages: list[DataStage]) -> list[dict[str, Any]]:
    """How far each stage is from the last accepted one: the measures of `monitoring.drift` with their limits.

    Two bounds on one measure are one row, with the worse verdict. A stage that was compared with nothing has none.
    """
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for stage in stages:
        for one in (stage.validation or {}).get("outcomes", ()):
            if one["verdict"] == "not compared" or not _compares(one["column"]):
                continue
            row = {"stage": shown(stage.name), **_measured(one)}
            if other := rows.get((stage.name, one["column"])):
                worse = max((other, row), key=lambda each: _VERDICTS.index(each["verdict"]))
                row = {**worse, "limit": f"{other['limit']}, {row['limit']}"}
            rows[stage.name, one["column"]] = row
    return list(rows.values())


def file_changes(collect: DataStage) -> dict[str, Any] | None:
    """What arrived, vanished and changed since the last accepted corpus: numbers, and the first names of each.

    None on a first run, or where the store no longer has that corpus.
    """
    if collect.path is None or collect.earlier is None:
        return None
    now, then = (_json(place / FILES) for place in (collect.path, collect.earlier))
    found: dict[str, Any] = {
        kind: {"number": len(names), "names": presentable(names[:NUM_FILES])}
        for kind, names in changes(now, then).items()
    }
    return {"compared_with": collect.earlier.name, "num_files": len(now), **found}


def _read(name: str, artifact: Artifact, report: Path) -> DataStage:
    places = [artifact.path / "logs" / "validation", report]
    judged = next((found for place in places if (found := _judged(place))[0]), (None, None))
    return DataStage(name, artifact.path, artifact.manifest, read_profile(artifact.path), *judged)


def _judged(place: Path) -> tuple[dict[str, Any] | None, Path | None]:
    if not (place / _VALIDATION).is_file():
        return None, None
    page = place / _PAGE
    return _json(place / _VALIDATION), page if page.is_file() else None


def _is_data(name: str) -> bool:
    return any(name == place or (place.endswith("-") and name.startswith(place)) for place in _BROKEN_PLACES)


def _compares(column: str) -> bool:
    return column.endswith("_drift") or column == "volume_ratio"


def _measured(outcome: Mapping[str, Any]) -> dict[str, Any]:
    return {name: outcome[name] for name in ("words", "observed", "limit", "verdict", "key")}


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise IntegrityError(f"{shown(str(path), 200)} is no JSON: {error}; run the stage again") from error
