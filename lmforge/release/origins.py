"""What entered a model from outside: the files that its stages read, and the documents that weights were learned from.

Reading a document for validation or keeping it out of the corpus is not learning from it, so those are not listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from lmforge.artifacts.artifact import Artifact
from lmforge.artifacts.store import verify
from lmforge.errors import IntegrityError
from lmforge.release.lineage import OUTSIDE, TracedStage

_FILE = "file:"


def source_files(stages: Sequence[TracedStage]) -> list[dict[str, Any]]:
    """Every file that entered: `name`, `kind`, `sha256`, the `stages` that read it, and `collected`.

    kind: `file` of the project, or `given`, a file of the model that the run started from or of the tokens that it
    replayed, named by role. collected: what `collect` wrote down of a file, such as its address and its numbers of
    records; None for the others.
    """
    rows: dict[str, dict[str, Any]] = {}
    for stage in stages:
        told = _collected(stage)
        for one in stage.inputs:
            if one.role.startswith(OUTSIDE):
                name = one.role.removeprefix(_FILE)
                kind = "file" if one.role.startswith(_FILE) else "given"
                fresh: dict[str, Any] = {
                    "name": name,
                    "kind": kind,
                    "sha256": one.fingerprint,
                    "stages": [],
                    "collected": None,
                }
                row = rows.setdefault(name, fresh)
                row["stages"].append(stage.name)
                row["collected"] = row["collected"] or told.get(name) or told.get(one.fingerprint)
    return [rows[name] for name in sorted(rows)]


def documents(stages: Sequence[TracedStage]) -> Iterator[dict[str, str]]:
    """`stage`, `id` and `source` of every document and labelled example that weights were learned from.

    Validation and test sets are not among them: no weight was learned from those. Artifacts are verified first, before
    anything is yielded. Raises IntegrityError when one of them is damaged or no longer in the store.
    """
    by_name = {stage.name: stage for stage in stages}
    # The examples of other tasks only keep their text out of the corpus.
    wanted = [f"label-{name.removeprefix('finetune-')}" for name in by_name if name.startswith("finetune-")]
    wanted += ["clean"] if by_name.keys() & {"clean", "tokenize", "pretrain"} else []
    if gone := [name for name in wanted if name not in by_name or not by_name[name].stored]:
        raise IntegrityError(
            f"{', '.join(gone)}: no longer in the store, so its documents cannot be listed; make it again from the "
            "same sources: lmforge run with the recipe of that version"
        )
    holding = [by_name[name] for name in wanted]
    for stage in holding:
        assert stage.path is not None and stage.kind is not None
        verify(Artifact(kind=stage.kind, path=stage.path, fingerprint=stage.fingerprint))
    return (row for stage in holding for row in _documents(stage))


def _collected(stage: TracedStage) -> dict[str, dict[str, Any]]:
    """Rows of files.json by name and by hash: a remote file is named by its address there."""
    from lmforge.sources.collecting import FILES

    if stage.path is None or FILES not in stage.files:
        return {}
    rows = json.loads((stage.path / FILES).read_text(encoding="utf-8"))
    return {row["sha256"]: row for row in rows} | {row["name"]: row for row in rows}


def _documents(stage: TracedStage) -> Iterator[dict[str, str]]:
    from lmforge.text.tables import read_frames, shard_paths

    assert stage.path is not None
    clean = stage.name == "clean"
    for path in shard_paths(stage.path) if clean else [stage.path / "train.parquet"]:
        for frame in read_frames(path):
            rows = frame.filter(frame["split"] == "train") if clean else frame
            columns = [name for name in ("id", "source") if name in rows.columns]
            yield from ({"stage": stage.name, **row} for row in rows.select(columns).iter_rows(named=True))
