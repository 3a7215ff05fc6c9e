"""What the network answers at each validation, as a page for people beside the numbers.

Examples come from the first validation batch and draws from (seed, step), so a resumed run writes the same pages. Text
with personal data or secrets is left out.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer
from torch import Tensor
from transformers import PreTrainedModel

from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.reporting.excerpts import UNSHOWN, holds_private
from lmforge.tokenization.roles import roles_of
from lmforge.tokenization.tokenizer import load_tokenizer
from lmforge.training.objectives import extra_tokens
from lmforge.training.spec import TrainingSpec
from lmforge.wording import shown
from models.electra import DiscriminatorWithGenerator
from models.fitting import DECODERS
from models.lightning_module import LanguageModule
from models.objectives import Batch
from models.objectives.masked_lm import IGNORED
from models.sampling import continued, likely_tokens, written

_NUM_EXAMPLES, _NUM_ANSWERS, _NUM_PLACES = 4, 5, 4
_PROMPT_TOKENS, _NEW_TOKENS = 8, 24
# Of the work of a validation interval, in forward passes of a token; a training step costs about three of them.
_SHARE, _PASSES_OF_STEP = 0.02, 3
_TEXT_CHARACTERS, _COLUMNS, _WIDTH = 600, 76, 11


class Piece(NamedTuple):
    """One text of a batch without padding and neighbours: token ids shown, and labels where the objective has them."""

    ids: Tensor
    labels: Tensor | None
    token_types: Tensor | None


class _Words(NamedTuple):
    """Ids as people read them; end: the token that ends a text, None where there is none."""

    tokenizer: Tokenizer
    end: int | None

    def text(self, ids: Tensor) -> str:
        """The text of ids, special tokens by their names."""
        text: str = self.tokenizer.decode(ids.tolist(), skip_special_tokens=False)
        return text

    def name(self, token: int) -> str:
        """One token."""
        return self.text(torch.tensor([token])).strip() or self.tokenizer.id_to_token(token) or f"id {token}"

    def ended(self, ids: Tensor) -> Tensor:
        """Up to the first token that ends a text."""
        if self.end is None:
            return ids
        ends = (ids == self.end).nonzero()
        return ids[: int(ends[0, 0]) + 1] if len(ends) else ids


class _Page(NamedTuple):
    """One kind of page: what it says of itself, what writes it, and its cost in passes of a token through the network.

    `passes` takes the tokens of a row and gives the passes that an example costs.
    """

    about: str
    write: Callable[[PreTrainedModel, Sequence[Piece], _Words, np.random.Generator], Iterator[list[str]]]
    passes: Callable[[int], float]


class Samples:
    """Writes `samples/step-000000300.md` below the run directory; nothing for fine-tuning."""

    def __init__(self, spec: TrainingSpec, validation: Iterable[Batch]) -> None:
        self.spec, self.validation = spec, validation

    def write(self, step: int, module: LanguageModule) -> None:
        """The page of a step, from a network in evaluation mode."""
        target = samples_path(self.spec, step)
        if isinstance(self.spec.settings, Finetuning):
            return
        words = _Words(named_tokenizer(self.spec.settings, self.spec.tokenizer), roles_of(self.spec.tokenizer).end)
        page = _PAGES[_kind(module.model)]
        pieces = list(self._pieces(self.spec.settings, page, module))
        rng = np.random.default_rng([self.spec.seed, step])
        blocks = list(page.write(module.model, pieces, words, rng)) or [["(validation has no text to show)"]]
        text = [f"# {self.spec.name}: samples after step {step:,}", "", page.about]
        # Text of data stands indented, where Markdown reads no markup.
        text += ["\n".join(["", *(f"    {line}" for line in block)]) for block in blocks]
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(f".{target.name}.partial")
        partial.write_text("\n".join(text) + "\n", encoding="utf-8")
        partial.replace(target)

    def _pieces(self, settings: Pretraining, page: _Page, module: LanguageModule) -> Iterator[Piece]:
        """Of the first rows of validation; as many as the interval between two validations pays for, at least one."""
        batch = next(iter(self.validation), {})
        interval = settings.eval_every_n_steps * settings.global_batch_size * settings.max_seq_length
        paid = int(_SHARE * _PASSES_OF_STEP * interval / page.passes(settings.max_seq_length))
        for row in range(min(len(batch.get("input_ids", ())), _NUM_EXAMPLES, max(1, paid))):
            yield first_piece(batch, row, module.device, writes=module.model.config.is_encoder_decoder)


def samples_path(spec: TrainingSpec, step: int) -> Path:
    """Where the samples after `step` steps are; names sort by step."""
    return spec.samples / f"step-{step:09d}.md"


def named_tokenizer(settings: Pretraining | Finetuning, directory: Path) -> Tokenizer:
    """The tokenizer with the tokens that the model has beyond it, so that every id has a name."""
    tokenizer = load_tokenizer(directory)
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in extra_tokens(settings)])
    return tokenizer


def first_piece(batch: Batch, row: int, device: torch.device, *, writes: bool) -> Piece:
    """The first text of a row; of a row with several texts, those after it are left out.

    writes: the labels are a text of their own, and not answers to places of the input.
    """
    ids, labels, types = batch["input_ids"][row], batch.get("labels"), batch.get("token_type_ids")
    keep = torch.ones_like(ids, dtype=torch.bool)
    if "segments" in batch:
        keep = batch["segments"][row] == 1
    elif "attention_mask" in batch:
        keep = batch["attention_mask"][row] == 1
    wanted = None if labels is None else labels[row][labels[row] != IGNORED if writes else keep]
    return Piece(ids[keep].to(device), wanted, None if types is None else types[row][keep].to(device))


def _masked(
    model: PreTrainedModel, pieces: Sequence[Piece], words: _Words, rng: np.random.Generator
) -> Iterator[list[str]]:
    network: Any = model.generator if isinstance(model, DiscriminatorWithGenerator) else model
    for piece in pieces:
        assert piece.labels is not None
        places = (piece.labels != IGNORED).nonzero()[:_NUM_PLACES, 0]
        restored = torch.where(piece.labels == IGNORED, piece.ids.cpu(), piece.labels)
        if not len(places) or holds_private([words.text(restored)]):
            continue
        shares, answers = likely_tokens(
            network, piece.ids, places.to(piece.ids.device), _NUM_ANSWERS, piece.token_types
        )
        block = _told("text", words.text(piece.ids))
        for place, row, best in zip(places.tolist(), shares.tolist(), answers.tolist(), strict=True):
            names = [shown(words.name(one)) for one in [int(piece.labels[place]), *best]]
            likely = [f"{name} {share:.2f}" for name, share in zip(names[1:], row, strict=True)]
            block.append(f"{f'place {place}':<{_WIDTH}}{names[0]:<18} {'   '.join(likely)}")
        yield block


def _continued(
    model: PreTrainedModel, pieces: Sequence[Piece], words: _Words, rng: np.random.Generator
) -> Iterator[list[str]]:
    prompts = [piece.ids[:_PROMPT_TOKENS] for piece in pieces if len(piece.ids) > _PROMPT_TOKENS]
    if not prompts:
        return
    new = min(_NEW_TOKENS, model.config.max_position_embeddings - _PROMPT_TOKENS)
    texts = continued(model, torch.stack(prompts), rng.random((len(prompts), new)))
    kept = [piece for piece in pieces if len(piece.ids) > _PROMPT_TOKENS]
    for number, piece in enumerate(kept):
        yield [
            *_told("beginning", words.text(piece.ids[:_PROMPT_TOKENS])),
            *_told("the text", words.text(piece.ids[_PROMPT_TOKENS : _PROMPT_TOKENS + new])),
            *_told("probable", words.text(words.ended(texts[number]))),
            *_told("drawn", words.text(words.ended(texts[number + len(kept)]))),
        ]


def _written(
    model: PreTrainedModel, pieces: Sequence[Piece], words: _Words, rng: np.random.Generator
) -> Iterator[list[str]]:
    for piece in pieces:
        assert piece.labels is not None
        wanted = piece.labels[:_NEW_TOKENS]
        yield [
            *_told("input", words.text(piece.ids)),
            *_told("wanted", words.text(wanted)),
            *_told("written", words.text(words.ended(written(model, piece.ids, len(wanted))))),
        ]


def _kind(model: PreTrainedModel) -> str:
    if model.config.is_encoder_decoder:
        return "written"
    return "continued" if model.config.model_type in DECODERS else "masked"


def _told(what: str, text: str) -> list[str]:
    words = UNSHOWN if holds_private([text]) else shown(text, _TEXT_CHARACTERS)
    return textwrap.wrap(f"{what:<{_WIDTH}}{words}", _COLUMNS, subsequent_indent=" " * _WIDTH)


_PAGES = {
    "masked": _Page(
        f"Hidden tokens: where they are, what they were, and the {_NUM_ANSWERS} most probable answers.",
        _masked,
        lambda length: float(length),
    ),
    "continued": _Page(
        "Beginnings of texts: how they go on, and how the network does: by the most probable token, and drawn.",
        _continued,
        lambda length: 2.0 * _NEW_TOKENS * (_PROMPT_TOKENS + _NEW_TOKENS / 2),
    ),
    "written": _Page(
        "What the network reads, what it should write, and what it writes by the most probable token; both are cut.",
        _written,
        lambda length: length + _NEW_TOKENS * _NEW_TOKENS / 2,
    ),
}
