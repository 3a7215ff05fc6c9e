"""What the data are made of: languages, sources and licences, lengths and labels by split, and tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from lmforge.reporting.data_report_stages import DataStage
from lmforge.reporting.excerpts import presentable
from lmforge.text.profiling import read_profile
from lmforge.text.records import scan
from lmforge.text.splitting import SPLITS
from lmforge.wording import shown

NUM_NAMES = 15
MISSING = "(none)"
_MIXES = ("languages", "sources", "licenses", "origins")
# As in a profile: one bin for 0 words, then [1, 2), [2, 4), ..., and the last for 2^23 words and more.
_BIN_STARTS = 2 ** np.arange(24)
_FACTS = (
    "num_documents", "num_tokens", "num_train_blocks", "num_validation_blocks", "block_length", "vocab_size",
    "vocabulary_used_share", "unknown_share", "bytes_per_token", "long_document_share", "num_special_tokens_in_text",
    "train_fill_rate", "engine",
)  # fmt: skip


def mixes(collect: DataStage, clean: DataStage | None) -> dict[str, list[dict[str, Any]]]:
    """By property its 15 most frequent values: how many documents had each when collected and when clean.

    The language of a collected document is what its source says, that of a clean one what was recognised in it.
    """
    raw = collect.profile or {}
    kept = (clean.profile if clean else None) or {}
    found = {name: _mix(raw.get(name), kept.get(name)) for name in _MIXES}
    return {name: rows for name, rows in found.items() if rows}


def lengths(stages: Sequence[DataStage]) -> list[dict[str, Any]]:
    """A histogram of the words a text for each table: name, unit counts by bin, and those of the last accepted one.

    Bins: 0 words, then [1, 2), [2, 4), ... A clean corpus and labelled examples have one for each split, too.
    """
    rows = []
    for stage in stages:
        if stage.path is None or stage.manifest is None:
            continue
        if now := (stage.profile or {}).get("words_histogram"):
            earlier = read_profile(stage.earlier) if stage.earlier else None
            then = (earlier or {}).get("words_histogram")
            rows.append({"name": shown(stage.name), "counts": now, "then": then})
        for split, counts in _by_split(stage.path, stage.manifest.kind):
            rows.append({"name": f"{shown(stage.name)}, {split}", "counts": counts, "then": None})
    return rows


def labels(labelled: Sequence[DataStage]) -> list[dict[str, Any]]:
    """For each labelled set its splits' sizes, and the examples of its labels by split, the most frequent first."""
    rows = []
    for stage in labelled:
        if stage.path is None or stage.manifest is None:
            continue
        counted = [_labels(stage.path / f"{split}.parquet") for split in SPLITS]
        total = {name: sum(one.get(name, 0) for one in counted) for one in counted for name in one}
        names = sorted(total, key=lambda name: (-total[name], name))
        sizes = {split: sum(one.values()) for split, one in zip(SPLITS, counted, strict=True)}
        values = [[one.get(name, 0) for one in counted] for name in names[: 2 * NUM_NAMES]]
        told = zip(presentable(names[: 2 * NUM_NAMES]), values, strict=True)
        parts = [{"label": name, **dict(zip(SPLITS, numbers, strict=True))} for name, numbers in told]
        digest = stage.manifest.facts.get("test_digest", "")
        rows.append(
            {"stage": shown(stage.name), "num_labels": len(names), **sizes, "labels": parts, "test_digest": digest}
        )
    return rows


def tokens(stage: DataStage) -> dict[str, Any]:
    """Blocks and vocabulary, and the tokens a word: of all text, and by language."""
    facts = stage.manifest.facts if stage.manifest else {}
    words = facts.get("num_words")
    found = {name: facts[name] for name in _FACTS if name in facts}
    by_language = facts.get("tokens_per_word_by_language", {})
    fertility = facts["num_tokens"] / words if words else None
    return {**found, "tokens_per_word": fertility, "tokens_per_word_by_language": by_language}


def _mix(raw: Mapping[str, Any] | None, clean: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    before, after = _counts(raw), _counts(clean)
    names = before | after
    if not names or set(names) == {MISSING}:
        return []
    ordered = sorted(names, key=lambda name: (-before.get(name, 0), -after.get(name, 0), name))
    first, rest = ordered[:NUM_NAMES], ordered[NUM_NAMES:]
    told = zip(presentable(first), first, strict=True)
    rows = [{"name": words, "collected": before.get(name, 0), "clean": after.get(name, 0)} for words, name in told]
    others = [sum(counts.get(name, 0) for name in rest) for counts in (before, after)]
    others = [number + (mix or {}).get("other", 0) for number, mix in zip(others, (raw, clean), strict=True)]
    if any(others):
        rows.append({"name": "all others", "collected": others[0], "clean": others[1]})
    return rows


def _counts(mix: Mapping[str, Any] | None) -> dict[str, int]:
    counts = dict((mix or {}).get("counts", {}))
    if missing := (mix or {}).get("missing"):
        counts[MISSING] = missing
    return counts


def _by_split(directory: Path, kind: str) -> list[tuple[str, list[int]]]:
    if kind == "clean_corpus":
        rows = scan(directory).select("split", pl.col("num_words").alias("words")).collect(engine="streaming")
        return [(split, _histogram(rows.filter(pl.col("split") == split)["words"])) for split in SPLITS[:2]]
    if kind == "labelled":
        words = pl.col("text").str.count_matches(r"\S+")
        frames = {split: pl.scan_parquet(directory / f"{split}.parquet").select(words) for split in SPLITS}
        return [(split, _histogram(frame.collect(engine="streaming")["text"])) for split, frame in frames.items()]
    return []


def _histogram(words: pl.Series) -> list[int]:
    bins = np.searchsorted(_BIN_STARTS, words.to_numpy(), side="right")
    counts: list[int] = np.bincount(bins, minlength=len(_BIN_STARTS) + 1).tolist()
    return counts


def _labels(path: Path) -> dict[str, int]:
    counted = pl.scan_parquet(path).group_by("label").len().collect(engine="streaming")
    return dict(counted.sort("label").iter_rows())
