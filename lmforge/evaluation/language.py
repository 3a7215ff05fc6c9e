"""Evidence for a language model: its loss on held-out text beside what counting neighbours reaches.

Model and floors predict the same positions of the same blocks.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

from lmforge.evaluation.figures import loss_figure
from lmforge.evaluation.ngram import BigramModel
from lmforge.recipe.schema import Pretraining
from lmforge.tokenization.packing import read_blocks
from lmforge.tokenization.tokenizer import NUM_SPECIAL, PAD
from lmforge.training.batches import ValidationBatches, language_rows
from lmforge.training.objectives import objective_of
from models.objectives import Batch
from models.objectives.masked_lm import IGNORED


def evaluate_language_model(
    model: Path, tokens: Path, settings: Pretraining, metrics: Path, out: Path
) -> dict[str, Any]:
    """Write `metrics.json` and the loss curve with the floors; return losses in nats a predicted token.

    metrics: the training run's metrics.jsonl, for the curve.
    """
    auto = AutoModelForCausalLM if settings.objective == "causal_lm" else AutoModelForMaskedLM
    network = auto.from_pretrained(model, local_files_only=True, trust_remote_code=False).eval()
    objective = objective_of(settings, model)
    rows = language_rows(settings, tokens / "validation.npy")
    batches = list(ValidationBatches(rows, objective, settings.global_batch_size))
    totals: dict[str, float] = {}
    with torch.inference_mode():
        for batch in batches:
            for name, value in objective.sums(network, batch).items():
                totals[name] = totals.get(name, 0.0) + value
    floors = _floors(read_blocks(tokens / "train.npy"), batches, network.config.vocab_size)
    result = {"model": objective.metrics(totals), "floors": floors, "num_predicted_tokens": int(totals["count"])}
    (out / "metrics.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    draw_loss(metrics, floors, out / "loss.png")
    return result


def draw_loss(metrics: Path, floors: dict[str, float], figure: Path) -> None:
    """Draw the losses of a metrics.jsonl over tokens seen."""
    rows = [json.loads(line) for line in metrics.read_text(encoding="utf-8").splitlines()]
    loss_figure([row | {"tokens": row["train/tokens"]} for row in rows if "train/tokens" in row], floors, figure)


def _floors(train: np.ndarray, batches: list[Batch], vocab_size: int) -> dict[str, float]:
    counted = BigramModel.fit(train, vocab_size)
    if "labels" not in batches[0]:
        blocks = _stack([batch["input_ids"] for batch in batches], PAD)
        return {"unigram": counted.unigram_loss(blocks), "bigram": counted.causal_loss(blocks)}
    labels = _stack([batch["labels"] for batch in batches], IGNORED)
    shown = _stack([batch["input_ids"] for batch in batches], PAD)
    hidden = labels != IGNORED
    blocks, special = np.where(hidden, labels, shown), range(NUM_SPECIAL)
    return {
        "unigram": counted.unigram_loss(blocks, hidden, special),
        "bigram": counted.masked_loss(blocks, hidden, special),
    }


def _stack(parts: list[torch.Tensor], fill: int) -> np.ndarray:
    """Batches of unequal width under one another, filled up on the right."""
    widest = max(part.shape[1] for part in parts)
    padded = [torch.nn.functional.pad(part, (0, widest - part.shape[1]), value=fill) for part in parts]
    return torch.cat(padded).numpy()
