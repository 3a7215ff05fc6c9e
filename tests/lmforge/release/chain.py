"""A chain of small artifacts in a store, for what follows a model backwards."""

import json

import polars as pl

from lmforge.artifacts import Counts
from lmforge.artifacts.store import Outcome, Request
from lmforge.release.lineage import Recorded, trace


def publish(store, stage, files, inputs=None, code="c"):
    """An artifact of `stage`: a file's text, or a frame as Parquet, by name."""

    def build(out):
        for name, content in files.items():
            if isinstance(content, pl.DataFrame):
                content.write_parquet(out / name)
            else:
                (out / name).write_text(content)
        return Outcome(Counts(read=2, kept=2))

    return store.get_or_build(Request(stage, "kind", {}, inputs or {}, code), build)[0]


def make_chain(store):
    """A chain with two labelled sets, of which one is learned, and one unit that is no stage."""
    files = json.dumps([{"name": "https://example.org/a", "sha256": "aa", "num_records": 2}])
    publish(store, "collect.units", {"part.txt": "unit"})
    raw = publish(store, "collect", {"files.json": files}, {"file:downloads/a": "aa"})
    examples = {name: pl.DataFrame({"id": [f"{name}-1", f"{name}-2"], "text": ["x", "y"]}) for name in ("own", "other")}
    label = {
        name: publish(store, f"label-{name}", {"train.parquet": frame}, {"file:data/labels.csv": "bb"})
        for name, frame in examples.items()
    }
    text = pl.DataFrame(
        {"id": ["d1", "d2"], "source": ["a", "a"], "split": ["train", "validation"], "text": ["x", "y"]}
    )
    guards = {f"label-{name}": one.fingerprint for name, one in label.items()}
    clean = publish(store, "clean", {"part-00000.parquet": text}, {"raw_corpus": raw.fingerprint, **guards})
    given = {"tokens": clean.fingerprint, "start:config.json": "cc"}
    base = publish(store, "pretrain", {"model.safetensors": "base"}, given)
    fine = publish(
        store, "finetune-own", {"model.safetensors": "fine"},
        {"base_model": base.fingerprint, "labelled": label["own"].fingerprint},
    )  # fmt: skip
    return {"collect": raw, "label-own": label["own"], "label-other": label["other"], "clean": clean,
            "pretrain": base, "finetune-own": fine}  # fmt: skip


def follow(store, made):
    return trace(store, ["finetune-own"], {"finetune-own": Recorded(made["finetune-own"].fingerprint)})
