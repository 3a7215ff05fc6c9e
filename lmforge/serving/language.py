"""Ask a released base model: how sure it is of a token of a text, whichever kind of language model it is.

The directory alone says what it is, so that a process that knows no recipe can ask.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from lmforge.errors import InputError
from lmforge.tokenization.tokenizer import load_tokenizer
from models.architectures import load_language_model

MAX_LENGTH = 512
# How the names of its classes end, and an objective that such a network was trained with.
_KINDS = {
    "ForMaskedLM": "masked_lm",
    "BertForPreTraining": "next_sentence",
    "LMHeadModel": "causal_lm",
    "ForCausalLM": "causal_lm",
    "ForConditionalGeneration": "span_corruption",
}


class LanguageModel:
    """A loaded base model and its tokenizer."""

    def __init__(self, directory: Path) -> None:
        """Load the model in `directory`; raises InputError when there is no whole language model in it."""
        kind = language_kind(directory)
        if kind is None:
            raise InputError(f"{directory}: not a language model")
        try:
            self.model: Any = load_language_model(kind, directory)
        except (OSError, ValueError) as error:
            raise InputError(f"{directory}: the model cannot be loaded: {error}") from error
        self.tokenizer = load_tokenizer(directory)
        self._translates = kind == "span_corruption"
        longest = getattr(self.model.config, "max_position_embeddings", MAX_LENGTH)
        self.tokenizer.enable_truncation(min(longest, MAX_LENGTH))

    def answer(self, text: str) -> float:
        """The probability of the likeliest token at the end of a text; only its first 512 tokens are read."""
        ids = torch.tensor([self.tokenizer.encode(text).ids])
        with torch.inference_mode():
            output = self.model(input_ids=ids, **({"labels": ids} if self._translates else {}))
        logits = output.prediction_logits if "prediction_logits" in output else output.logits
        return float(logits[0, -1].softmax(-1).max())


def language_kind(directory: Path) -> str | None:
    """An objective of networks like the one in a directory; None for what is no language model.

    Raises InputError where there is no configuration.
    """
    path = directory / "config.json"
    try:
        named = json.loads(path.read_text(encoding="utf-8")).get("architectures") or []
    except FileNotFoundError as error:
        raise InputError(f"{directory}: no model here (config.json is missing)") from error
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    return next((kind for name in named for end, kind in _KINDS.items() if str(name).endswith(end)), None)
