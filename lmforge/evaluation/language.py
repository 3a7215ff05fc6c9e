"""Evidence for a language model: its loss on held-out text beside what counting neighbours reaches.

Model and floors predict the same positions of the same blocks.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch

from lmforge.evaluation.figures import loss_figure
from lmforge.evaluation.language_documents import (
    BITS_PER_BYTE,
    DocumentScorer,
    measured,
    metric_of,
    value_of,
)
from lmforge.evaluation.ngram import NgramModel
from lmforge.recipe.optimization import Pretraining
from lmforge.tokenization.packing import read_blocks
from lmforge.tokenization.roles import Roles, roles_of
from lmforge.training.batches import ValidationBatches
from lmforge.training.metrics import read_metrics
from lmforge.training.objectives import objective_of
from lmforge.training.rows import language_rows
from models.architectures import load_language_model
from models.objectives import Batch
from models.objectives.base import perplexity
from models.objectives.masked_lm import IGNORED

# Their targets are spans or whole texts that the network rebuilds from what it was shown of them.
WITHOUT_FLOORS = ("span_corruption", "denoising")
# What the model says of each held-out document that a gate will ask about.
DOCUMENTS = "documents.parquet"


def evaluate_language_model(
    model: Path,
    tokens: Path,
    settings: Pretraining,
    metrics: Path,
    out: Path,
    bytes_per_token: float | None = None,
    documents: pl.DataFrame | None = None,
) -> dict[str, Any]:
    """Write `metrics.json` and the loss curve with the floors; return what `metrics.json` holds.

    documents: held-out ones, `id` and `text`, that are scored one by one into `documents.parquet` for the release gate.

    metrics: the training run's metrics.jsonl, for the curve. bytes_per_token: UTF-8 bytes of text that a token stands
    for; by it a causal network's nats become bits per byte (a masked one's are not the cost of a text). Losses are nats
    a predicted token. There is no floor for a network that writes a sequence of its own: counts do not see its input.
    """
    network = load_language_model(settings.objective, model)
    objective, roles = objective_of(settings, model), roles_of(tokens / "tokenizer")
    rows = language_rows(settings, tokens / "validation.npy", tokens / "tokenizer")
    batches = list(ValidationBatches(rows, objective, settings.global_batch_size))
    totals: dict[str, float] = {}
    with torch.inference_mode():
        for batch in batches:
            for name, value in objective.sums(network, batch).items():
                totals[name] = totals.get(name, 0.0) + value
    counted = NgramModel.fit(read_blocks(tokens / "train.npy"), network.config.vocab_size, roles.start)
    floors = _floors(counted, batches, settings.objective, roles)
    result = {
        "model": objective.metrics(totals),
        "floors": floors,
        "floor_perplexities": {name: perplexity(loss) for name, loss in floors.items()},
        "ngram_order": counted.order,
        "num_counted_tokens": counted.num_tokens,
        "num_predicted_tokens": int(totals["count"]),
    }
    if settings.objective == "causal_lm" and bytes_per_token:
        _add_bits(result, bytes_per_token)
    if documents is not None:
        result["documents"] = _score_documents(model, settings, documents, counted, out)
    (out / "metrics.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    loss_figure(read_metrics(metrics), floors, out / "loss.png")
    return result


def _score_documents(
    model: Path, settings: Pretraining, documents: pl.DataFrame, counted: NgramModel, out: Path
) -> dict[str, Any]:
    """The metric of the gate on whole documents, of the model and of counts on the same positions."""
    scorer = DocumentScorer(model, measured(settings))
    scores = scorer.score(documents)
    scores.write_parquet(out / DOCUMENTS, compression="zstd")
    metric, num_tokens = metric_of(settings), int(scores["num_tokens"].sum())
    floors: dict[str, float] = {}
    if num_tokens:
        floors = _floors(counted, scorer.counted(documents), scorer.settings.objective, roles_of(model))
    if metric == BITS_PER_BYTE:
        num_bytes = int(scores["num_bytes"].sum())
        floors = {name: loss * num_tokens / math.log(2.0) / num_bytes for name, loss in floors.items()}
    return {
        "metric": metric,
        "value": value_of(scores, metric),
        "floors": floors,
        "num_documents": len(scores),
        "num_bytes": int(scores["num_bytes"].sum()),
        "num_predicted_tokens": num_tokens,
    }


def _floors(counted: NgramModel, batches: list[Batch], objective: str, roles: Roles) -> dict[str, float]:
    """Nats a token of frequency, of pairs and of the longest n-grams, the shortest first."""
    if objective in WITHOUT_FLOORS:
        return {}
    orders = sorted({1, 2, counted.order})
    shown = _stack([batch["input_ids"] for batch in batches], roles.pad)
    pieces = _stack([batch["segments"] for batch in batches], 0) if "segments" in batches[0] else None
    if objective == "causal_lm":
        return {_name(order): counted.causal_loss(shown, order, pieces) for order in orders}
    labels = _stack([batch["labels"] for batch in batches], IGNORED)
    hidden = labels != IGNORED
    blocks, special = np.where(hidden, labels, shown), np.flatnonzero(~roles.ordinary).tolist()
    # Parts of documents are framed as if they were whole: what the counts know of starts and ends misleads there.
    absent = (roles.pad,) if objective == "masked_lm" else (roles.pad, *roles.prefix, *roles.suffix)
    return {_name(order): counted.masked_loss(blocks, hidden, special, absent, order, pieces) for order in orders}


def _add_bits(result: dict[str, Any], bytes_per_token: float) -> None:
    """Bits a byte of text: what two tokenizers can be compared by."""
    bits = 1.0 / (math.log(2.0) * bytes_per_token)
    result["model"]["bits_per_byte"] = result["model"]["loss"] * bits
    result["floor_bits_per_byte"] = {name: loss * bits for name, loss in result["floors"].items()}


def _name(order: int) -> str:
    return {1: "unigram", 2: "bigram"}.get(order, f"{order}-gram")


def _stack(parts: list[torch.Tensor], fill: int) -> np.ndarray:
    """Batches of unequal width under one another, filled up on the right."""
    widest = max(part.shape[1] for part in parts)
    padded = [torch.nn.functional.pad(part, (0, widest - part.shape[1]), value=fill) for part in parts]
    return torch.cat(padded).numpy()
