"""What the data stages set aside, changed and did not read: reasons with samples, repairs, personal data, columns.

Of personal data only numbers are told. A sample of a rejected record is as masked as the corpus; one of a secret is
not shown at all.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmforge.privacy.findings import PLACEHOLDERS
from lmforge.reporting.data_report_stages import DataStage
from lmforge.reporting.excerpts import PRIVATE, presentable, read_quarantine, shown_rejection
from lmforge.wording import shown

NUM_SAMPLES = 3
_PERSONAL = "personal_data."


def rejections(stages: Sequence[DataStage]) -> list[dict[str, Any]]:
    """By stage and reason, the most frequent first: how many records, and the first 3 of them as samples."""
    rows = []
    for stage in stages:
        if stage.manifest is None or stage.path is None:
            continue
        counts = stage.manifest.counts
        samples = _samples(stage.path, counts.reasons)
        for reason, number in sorted(counts.reasons.items(), key=lambda item: (-item[1], item[0])):
            row = {"stage": shown(stage.name), "reason": reason, "number": number, "share": number / counts.read}
            rows.append({**row, "private": reason in PRIVATE, "samples": samples.get(reason, [])})
    return rows


def repairs(stages: Sequence[DataStage]) -> list[dict[str, Any]]:
    """By stage and kind, the most frequent first: how many texts were mended (lines, for boilerplate_lines)."""
    rows = []
    for stage in stages:
        kinds = {kind: number for kind, number in _repairs(stage).items() if not kind.startswith(_PERSONAL)}
        ordered = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
        rows += [{"stage": shown(stage.name), "kind": kind, "number": number} for kind, number in ordered if number]
    return rows


def personal_data(stages: Sequence[DataStage]) -> list[dict[str, Any]]:
    """By stage: how much was masked, by kind; placeholders in what was kept; share of texts with some of it left."""
    rows = []
    for stage in stages:
        if stage.manifest is None or stage.manifest.kind not in ("clean_corpus", "labelled"):
            continue
        found, kept = _repairs(stage), (stage.profile or {}).get("personal_data", {})
        rows.append(
            {
                "stage": shown(stage.name),
                "masked": {kind: found.get(_PERSONAL + kind, 0) for kind in PLACEHOLDERS},
                "placeholders": {kind: kept.get(mark, 0) for kind, mark in PLACEHOLDERS.items()},
                "residue_share": (stage.validation or {}).get("statistics", {}).get("personal_data_share"),
            }
        )
    return rows


def tags(stages: Sequence[DataStage]) -> dict[str, int]:
    """How many documents of the corpus have each tag, before duplicates are dropped."""
    total: Counter[str] = Counter()
    for stage in stages:
        if stage.manifest:
            total.update(stage.manifest.facts.get("tags", {}))
    return dict(sorted(total.items(), key=lambda item: (-item[1], item[0])))


def unused_columns(collect: DataStage) -> list[dict[str, Any]]:
    """By source and name, the most frequent first: records with a column that the recipe does not name."""
    found: Mapping[str, Mapping[str, int]] = (
        collect.manifest.facts.get("unused_columns", {}) if collect.manifest else {}
    )
    rows = sorted((path, -number, name) for path, columns in found.items() for name, number in columns.items())
    paths, names = presentable([path for path, _, _ in rows]), presentable([name for _, _, name in rows])
    numbers = [-number for _, number, _ in rows]
    return [
        {"source": path, "column": name, "number": number}
        for path, name, number in zip(paths, names, numbers, strict=True)
    ]


def _samples(directory: Path, reasons: Mapping[str, int]) -> dict[str, list[dict[str, str]]]:
    """The first entries of each reason; reads no further than the last of them."""
    missing = {reason: min(number, NUM_SAMPLES) for reason, number in reasons.items() if reason not in PRIVATE}
    samples: dict[str, list[dict[str, str]]] = {}
    for entry in read_quarantine(directory) if missing else ():
        if (reason := entry["reason"]) in missing:
            samples.setdefault(reason, []).append(shown_rejection(entry))
            missing[reason] -= 1
            if not missing[reason]:
                del missing[reason]
            if not missing:
                break
    return samples


def _repairs(stage: DataStage) -> Mapping[str, int]:
    found: Mapping[str, int] = stage.manifest.facts.get("repairs", {}) if stage.manifest else {}
    return found
