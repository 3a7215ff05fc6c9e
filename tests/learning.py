"""Runs that are long enough to learn something: their data, their settings and what each must fall below."""

import gzip
import json
import math
from pathlib import Path
from typing import Any

import polars as pl

from lmforge.evaluation.language import evaluate_language_model
from lmforge.evaluation.ngram import NgramModel
from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.encoding import encode
from lmforge.tokenization.packing import read_blocks, write_blocks, write_origin
from lmforge.tokenization.tokenizer import train_tokenizer
from lmforge.training.objectives import special_ids
from lmforge.training.spec import TrainingSpec
from tests.tiny import SAMPLE

LABELS = ("games", "net", "text")
LENGTH = 32
# Rates are high and warm-up is short, because these runs see every text once or twice.
SETTINGS = {
    "global_batch_size": 32, "max_seq_length": LENGTH, "warmup_steps": 10, "precision": "32-true", "compile": "off",
    "eval_every_n_steps": 10_000, "checkpoint_every_n_steps": 10_000,
}  # fmt: skip


def write_data(directory: Path) -> Path:
    """Every second package of three sections: `tokenizer/`, token blocks and labelled texts, a tenth for validation."""
    with gzip.open(SAMPLE, "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if row["section"] in LABELS][::2]
    texts = [row["description"] for row in rows]
    tokenizer = train_tokenizer(texts, Tokenizer(vocab_size=1000, lowercase=True), LENGTH, directory / "tokenizer")
    tenth = len(rows) // 10
    for split, part in (("train", slice(tenth, None)), ("validation", slice(0, tenth))):
        write_blocks(directory / f"{split}.npy", [encode(tokenizer, texts[part])], LENGTH)
        table = [{"text": row["description"], "label": row["section"]} for row in rows[part]]
        pl.DataFrame(table).write_parquet(directory / f"{split}.parquet")
    write_origin(directory, directory / "tokenizer", LENGTH)
    return directory


def spec_of(data: Path, out: Path, objective: str, architecture: str, **changes: Any) -> TrainingSpec:
    fine = objective == "sequence_classification"
    settings = SETTINGS | changes
    return TrainingSpec(
        name=f"{objective}-{architecture}",
        seed=1,
        architecture=architecture,
        size="nano",
        tokenizer=data / "tokenizer",
        data=data,
        objective=objective,
        settings=Finetuning(**settings) if fine else Pretraining(objective=objective, **settings),
        labels=LABELS if fine else (),
        num_threads=1,
        run_dir=out,
        model_dir=out / "model",
    )


def loss_and_bound(spec: TrainingSpec) -> tuple[float, float]:
    """What a run reached on validation data, and what it must fall below to have learned more than frequencies.

    masked_lm and its like, causal_lm: the unigram floor on the very positions that are scored. span_corruption,
    denoising: unigrams of the training text on the validation text, because their targets are text. Replaced tokens and
    labels: always answering with the shares that the validation data has.
    """
    result = json.loads(spec.result_file.read_text(encoding="utf-8"))
    if spec.objective == "sequence_classification":
        return result["val/loss"], _entropy(_label_shares(spec.data))
    if spec.objective == "replaced_token_detection":
        share = result["val/replaced_share"]
        return result["val/detection_loss"], _entropy([share, 1 - share])
    assert isinstance(spec.settings, Pretraining)
    if spec.objective in ("span_corruption", "denoising"):
        train, validation = (read_blocks(spec.data / f"{split}.npy") for split in ("train", "validation"))
        special = special_ids(spec.tokenizer)
        counted = NgramModel.fit(train, special.vocab_size, special.cls, order=1)
        return result["val/loss"], counted.causal_loss(validation)
    evidence = evaluate_language_model(spec.model_dir, spec.data, spec.settings, spec.metrics_file, spec.run_dir)
    assert math.isclose(evidence["model"]["loss"], result["val/loss"], rel_tol=1e-4)
    return result["val/loss"], evidence["floors"]["unigram"]


def _label_shares(data: Path) -> list[float]:
    labels = pl.read_parquet(data / "validation.parquet")["label"]
    return [(labels == label).mean() or 0.0 for label in LABELS]


def _entropy(shares: list[float]) -> float:
    """In nats."""
    return -sum(share * math.log(share) for share in shares if share)
