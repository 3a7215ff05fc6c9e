"""One batch as the training program makes it: what the network is shown, and what it must answer, token by token.

A row whose text holds personal data or a secret is left out whole, since its tokens would tell what masking hides. Of a
replaced-token detector this is what its generator reads; what the detector reads depends on the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from lmforge.errors import InputError
from lmforge.recipe import Recipe
from lmforge.recipe.optimization import Pretraining
from lmforge.reporting.excerpts import UNSHOWN, holds_private, presentable
from lmforge.training.mixing import MixedBatches, TrainingData
from lmforge.training.samples import named_tokenizer
from lmforge.training.spec import TrainingSpec
from lmforge.wording import shown
from models.objectives import Batch
from models.objectives.masked_lm import IGNORED

SPLITS = ("train", "validation")
_TEXT_CHARACTERS = 400
_SPOILT = "the second segment is not the one that follows"


def peek_batch(recipe: Recipe, tokens: Path, *, split: str, step: int, num_rows: int) -> dict[str, Any]:
    """The batch of a step as one JSON document, with its first `num_rows` rows; `tokens`: what tokenize made.

    step: counted from 0; of validation the number of its batch. Rows of replayed text are not among them.
    Keys: split, step, objective, num_rows, row_length, num_tokens (padding left out), num_predicted, rows; of a row
    `text` (what is shown), `target` (what an encoder-decoder writes), `note`, and `tokens`, each with place, segment,
    shown, seen (whether attention reaches it) and answer. Raises InputError for a step or split that is not there.
    """
    if split not in SPLITS:
        raise InputError(f"{shown(split)}: no split of the tokens; write train or validation")
    settings = recipe.pretraining.model_copy(update={"replay": None})
    batch, objective = _batch(_spec(recipe, settings, tokens), settings, split, step)
    ids, labels = batch["input_ids"], batch["labels"]
    tokenizer = named_tokenizer(settings, tokens / "tokenizer")
    real = batch.get("attention_mask", torch.ones_like(ids))
    return {
        "stage": "batch",
        "split": split,
        "step": step,
        "objective": objective,
        "num_rows": len(ids),
        "row_length": ids.shape[1],
        "num_tokens": int(real.sum()),
        "num_predicted": int((labels != IGNORED).sum()),
        "rows": [_row(batch, row, tokenizer, settings) for row in range(min(num_rows, len(ids)))],
    }


def _spec(recipe: Recipe, settings: Pretraining, tokens: Path) -> TrainingSpec:
    nowhere = Path("/nonexistent")
    return TrainingSpec(
        name="peek", seed=recipe.seed, architecture=recipe.model.architecture, size=recipe.model.size,
        tokenizer=tokens / "tokenizer", data=tokens, objective=settings.objective, settings=settings, num_threads=1,
        run_dir=nowhere, model_dir=nowhere,
    )  # fmt: skip


def _batch(spec: TrainingSpec, settings: Pretraining, split: str, step: int) -> tuple[Batch, str]:
    """The batch, and the name of the objective that it is for."""
    data = TrainingData(spec)
    if split == "train":
        if step >= settings.max_steps:
            raise InputError(f"--step {step}: training has steps 0 to {settings.max_steps - 1} (pretraining.max_steps)")
        training = data.training(0)
        part = training.draw(step)[0] if isinstance(training, MixedBatches) else 0
        return training.batch(step), settings.objectives[part]
    batch: Batch | None = next(islice(iter(data.validation()), step, None), None)
    if batch is None:
        raise InputError(f"--step {step}: validation has fewer batches; the first is 0")
    part = int(batch["objective"][0]) if "objective" in batch else 0
    return batch, settings.objectives[part]


def _row(batch: Batch, row: int, tokenizer: Tokenizer, settings: Pretraining) -> dict[str, Any]:
    ids, labels = batch["input_ids"][row], batch["labels"][row]
    writes = _writes(settings)
    target = labels[labels != IGNORED] if writes else None
    real = batch["attention_mask"][row] > 0 if "attention_mask" in batch else torch.ones_like(ids, dtype=torch.bool)
    told = [(ids if writes else _restored(ids, labels, settings))[real], *([] if target is None else [target])]
    texts = [_text(tokenizer, one) for one in told]
    if holds_private(texts):
        return {"row": row, "text": UNSHOWN, "tokens": []}
    note = {"note": _SPOILT} if "spoilt" in batch and int(batch["spoilt"][row]) else {}
    places = list(_places(batch, row, None if writes else labels, tokenizer))
    written = {} if target is None else {"target": presentable([texts[1]], _TEXT_CHARACTERS)[0]}
    (text,) = presentable([_text(tokenizer, ids[real])], _TEXT_CHARACTERS)
    return {"row": row, "text": text, **written, **note, "tokens": places}


def _writes(settings: Pretraining) -> bool:
    """Whether labels are texts of their own: with those, both sides of an encoder-decoder have lengths of their own."""
    return any(one in ("span_corruption", "denoising") for one in settings.objectives)


def _restored(ids: Tensor, labels: Tensor, settings: Pretraining) -> Tensor:
    # The answers of causal_lm are the tokens that follow, which the text itself shows.
    return ids if settings.objective == "causal_lm" else torch.where(labels == IGNORED, ids, labels)


def _places(batch: Batch, row: int, labels: Tensor | None, tokenizer: Tokenizer) -> Iterator[dict[str, Any]]:
    ids = batch["input_ids"][row].tolist()
    seen = batch["attention_mask"][row].tolist() if "attention_mask" in batch else [1] * len(ids)
    pieces = batch["segments"][row].tolist() if "segments" in batch else seen
    kinds = batch["token_type_ids"][row].tolist() if "token_type_ids" in batch else None
    for place, token in enumerate(ids):
        answer = IGNORED if labels is None else int(labels[place])
        yield {
            "place": place,
            # Two halves of one document are segments to the network, too.
            "segment": pieces[place] + (kinds[place] if kinds else 0),
            "id": token,
            "shown": _name(tokenizer, token),
            "seen": seen[place],
            "answer": None if answer == IGNORED else _name(tokenizer, answer),
        }


def _text(tokenizer: Tokenizer, ids: Tensor) -> str:
    text: str = tokenizer.decode(ids.tolist(), skip_special_tokens=False)
    return text


def _name(tokenizer: Tokenizer, token: int) -> str:
    return shown(tokenizer.id_to_token(token) or f"id {token}")


def words_of(document: Mapping[str, Any]) -> str:
    """`masked_lm, train, step 0: 32 rows of 128 tokens, 98.2 % text, 612 to predict`."""
    size = document["num_rows"] * document["row_length"]
    return (
        f"{document['objective']}, {document['split']}, step {document['step']:,}: {document['num_rows']:,} rows of "
        f"{document['row_length']:,} tokens, {100 * document['num_tokens'] / size:.1f} % text, "
        f"{document['num_predicted']:,} to predict"
    )
