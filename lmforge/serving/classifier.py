"""Classify texts with a released model: a transformers directory and nothing else.

Texts of about equal length share a batch; a text longer than those that the model was trained on is cut at its end.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PreTrainedModel

from lmforge.errors import InputError
from lmforge.tokenization.tokenizer import load_tokenizer
from models.objectives.sequence_classification import Example, SequenceClassification

BATCH_SIZE = 64


class Answer(NamedTuple):
    """A label and the probability that the model gives it."""

    label: str
    probability: float


class Classifier:
    """A loaded model and its tokenizer."""

    def __init__(self, directory: Path) -> None:
        """Load the model in `directory`; raises InputError when there is no whole classifier in it."""
        architectures = _read(directory / "config.json").get("architectures") or []
        if not any(name.endswith("ForSequenceClassification") for name in architectures):
            raise InputError(f"{directory}: not a classifier but {', '.join(architectures) or 'nothing known'}")
        try:
            loaded = AutoModelForSequenceClassification.from_pretrained(
                directory, local_files_only=True, trust_remote_code=False, dtype="float32"
            )
        except (OSError, ValueError) as error:
            raise InputError(f"{directory}: the model cannot be loaded: {error}") from error
        self.model: PreTrainedModel = loaded.eval()
        self.tokenizer = load_tokenizer(directory)
        longest = _read(directory / "tokenizer_config.json").get("model_max_length", math.inf)
        self.tokenizer.enable_truncation(
            int(min(longest, getattr(self.model.config, "max_position_embeddings", longest)))
        )
        self.labels = [self.model.config.id2label[index] for index in range(self.model.config.num_labels)]

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        """`[len(texts), num_labels]` float32, rows sum to 1."""
        encoded = [np.asarray(one.ids, dtype=np.int64) for one in self.tokenizer.encode_batch_fast(list(texts))]
        result = np.empty((len(texts), len(self.labels)), dtype=np.float32)
        collator = SequenceClassification(pad=self.model.config.pad_token_id or 0)
        with torch.inference_mode():
            for chosen in _by_length([len(ids) for ids in encoded]):
                batch = collator.collate([Example(encoded[index], 0) for index in chosen])
                logits = self.model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
                result[chosen] = logits.softmax(-1).numpy()
        return result

    def predict(self, texts: Sequence[str]) -> list[Answer]:
        """The most probable label of each text."""
        probabilities = self.probabilities(texts)
        best = probabilities.argmax(-1)
        return [Answer(self.labels[index], float(row[index])) for index, row in zip(best, probabilities, strict=True)]


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{path.parent}: no model here ({path.name} is missing)") from error
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    return content


def _by_length(lengths: list[int]) -> Iterator[np.ndarray]:
    order = np.argsort(lengths, kind="stable")
    return (order[start : start + BATCH_SIZE] for start in range(0, len(order), BATCH_SIZE))
