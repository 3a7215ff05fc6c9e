"""What a run learns from at each step, when it mixes: one of several objectives, and rows of earlier text in a batch.

Everything is a function of (seed, step). Each objective counts its own steps, so that it goes through its own rows as
if it were alone; a run that starts at any step counts the draws before it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import IterableDataset

from lmforge.errors import InputError
from lmforge.recipe.optimization import Finetuning, Pretraining
from lmforge.tokenization.packing import read_blocks
from lmforge.tokenization.tokenizer import tokenizer_fingerprint
from lmforge.training.batches import POOL_BATCHES, TrainingBatches, ValidationBatches
from lmforge.training.objectives import objective_of, special_ids
from lmforge.training.rows import ExampleRows, Rows, language_rows
from lmforge.training.spec import TrainingSpec
from models.objectives import Batch, Objective
from models.objectives.mixture import Mixture, marked
from models.packing import Packed

REPLAY = "replay"
# Steps whose draws come from one generator: a step far on costs no walk over the steps before its block.
_BLOCK = 4096
# What keeps the streams of a seed apart that are drawn at the same step.
_DRAWS, _ROWS = 0x6D69, 0x7265


class MixedBatches(IterableDataset[Batch]):
    """Batches of one part after another, drawn by share; the steps from `start_step` to `max_steps`.

    parts: batches by objective, whose own steps are as many as were drawn before; shares: of all steps, adding up to 1.
    """

    def __init__(
        self, parts: Sequence[TrainingBatches], shares: Sequence[float], *, max_steps: int, seed: int, start_step: int
    ) -> None:
        self.parts, self.max_steps, self.start_step = parts, max_steps, start_step
        self._limits, self._seed = np.cumsum(shares)[:-1], seed
        self._block = lru_cache(maxsize=2)(self._drawn)

    @property
    def same_shapes(self) -> bool:
        """Whether all batches have one shape; those of several objectives do not."""
        return len(self.parts) == 1 and self.parts[0].same_shapes

    def __iter__(self) -> Iterator[Batch]:
        return (self.batch(step) for step in range(self.start_step, self.max_steps))

    def batch(self, step: int) -> Batch:
        """The batch of one step, marked with the number of its part."""
        part, number = self.draw(step)
        return marked(self.parts[part].batch(number), part)

    def indices(self, step: int) -> np.ndarray:
        """The rows of its part's training data that the batch of one step is made of, without replayed ones."""
        part, number = self.draw(step)
        return self.parts[part].indices(number)

    def draw(self, step: int) -> tuple[int, int]:
        """Which part a step trains on, and which of that part's steps it is."""
        block, place = divmod(step, _BLOCK)
        drawn, before = self._block(block)
        part = int(drawn[place])
        return part, int(before[part]) + int(np.count_nonzero(drawn[:place] == part))

    def _drawn(self, block: int) -> tuple[np.ndarray, np.ndarray]:
        """The parts of a block's steps, and how often each was drawn in all blocks before."""
        before = np.zeros(len(self.parts), dtype=np.int64)
        for number in range(block):
            before += np.bincount(self._parts_of(number), minlength=len(self.parts))
        return self._parts_of(block), before

    def _parts_of(self, block: int) -> np.ndarray:
        draws = np.random.default_rng([self._seed, _DRAWS, block]).random(_BLOCK)
        return np.searchsorted(self._limits, draws, side="right")


class MixedValidation(IterableDataset[Batch]):
    """The validation batches of each part in turn, marked with its number."""

    def __init__(self, parts: Sequence[ValidationBatches]) -> None:
        self.parts = parts

    def __iter__(self) -> Iterator[Batch]:
        return (marked(batch, number) for number, part in enumerate(self.parts) for batch in part)


class Replaying:
    """An objective whose batches get rows of earlier text behind their new ones, drawn by the generator of the step."""

    def __init__(self, objective: Objective, earlier: Rows, num_rows: int) -> None:
        self.objective, self.earlier, self.num_rows = objective, earlier, num_rows

    def __getattr__(self, name: str) -> Any:
        return getattr(self.objective, name)

    def collate(self, rows: Any, rng: np.random.Generator) -> Batch:
        """A batch of `rows` and `num_rows` earlier ones."""
        drawn = rng.integers(0, len(self.earlier), self.num_rows)
        return self.objective.collate(_joined(rows, self.earlier.take(drawn)), rng)


class TrainingData:
    """Objectives and rows of a training run.

    Raises InputError for data that is not there or has no row, and for earlier text that does not fit.
    """

    def __init__(self, spec: TrainingSpec) -> None:
        self.spec, settings = spec, spec.settings
        self._own: dict[str, Pretraining | Finetuning] = {"": settings}
        self._shares: tuple[float, ...] = ()
        self._replay, self._num_replayed = None, 0
        if isinstance(settings, Pretraining):
            self._own = {one.label if one else "": settings.alone(one) for one in (None, *settings.mixture)}
            self._shares = tuple(one.share for one in settings.mixture)
            if settings.replay:
                self._replay, self._num_replayed = _checked(spec), settings.num_replayed_rows
        self._objectives = {name: objective_of(own, spec.tokenizer) for name, own in self._own.items()}
        self._rows = cache(self._read)

    @property
    def objective(self) -> Objective:
        """What the network learns: the only objective, or a mixture of all, with that of validation on earlier text."""
        parts = self._objectives | ({REPLAY: self._objectives[""]} if self._replay else {})
        return Mixture(parts) if len(parts) > 1 else parts[""]

    def training(self, start_step: int) -> TrainingBatches | MixedBatches:
        """The batches of the steps from `start_step` on."""
        settings, seed = self.spec.settings, self.spec.seed
        if not self._shares and not self._replay:
            return self._batches("", seed, start_step)
        parts = [self._batches(name, _seed(seed, number)) for number, name in enumerate(self._own)]
        shares = [1 - sum(self._shares), *self._shares]
        return MixedBatches(parts, shares, max_steps=settings.max_steps, seed=seed, start_step=start_step)

    def used_ids(self) -> np.ndarray | None:
        """The token ids that training batches hold; None where the network has to predict any."""
        rows = self._rows("", self.spec.data, "train")
        if not isinstance(rows, ExampleRows):
            return None
        return np.union1d(rows.token_ids(), special_ids(self.spec.tokenizer).pad)

    def validation(self) -> ValidationBatches | MixedValidation:
        """The batches of all parts' validation; of earlier text the first part's alone."""
        places = [(name, self.spec.data) for name in self._own] + ([("", self._replay)] if self._replay else [])
        size, budget = self.spec.settings.global_batch_size, self.spec.settings.max_tokens_per_batch
        parts = [
            ValidationBatches(self._rows(name, place, "validation"), self._objectives[name], size, budget)
            for name, place in places
        ]
        return MixedValidation(parts) if len(parts) > 1 else parts[0]

    def _batches(self, name: str, seed: int, start_step: int = 0) -> TrainingBatches:
        settings, objective = self.spec.settings, self._objectives[name]
        if self._replay:
            objective = Replaying(objective, self._rows(name, self._replay, "train"), self._num_replayed)
        return TrainingBatches(
            self._rows(name, self.spec.data, "train"),
            objective,
            batch_size=settings.global_batch_size - self._num_replayed,
            max_steps=settings.max_steps,
            seed=seed,
            start_step=start_step,
            max_tokens=settings.max_tokens_per_batch,
            pool_batches=1 if self.spec.labels else POOL_BATCHES,
        )

    def _read(self, name: str, place: Path, split: str) -> Rows:
        kind = "parquet" if self.spec.labels else "npy"
        path, settings = place / f"{split}.{kind}", self._own[name]
        if not path.is_file():
            raise InputError(f"{path}: no such file; {place} needs train.{kind} and validation.{kind}")
        if isinstance(settings, Pretraining):
            return language_rows(settings, path, self.spec.tokenizer)
        return ExampleRows(path, self.spec.tokenizer, self.spec.labels, settings.max_seq_length)


def _checked(spec: TrainingSpec) -> Path:
    """The directory of earlier tokens; raises InputError where ids mean something else there, or rows are too long."""
    replay, longest = spec.replay, spec.settings.max_seq_length
    if replay is None:
        raise InputError(f"{spec.name}: settings.replay asks for earlier text, but the spec has no directory `replay`")
    if tokenizer_fingerprint(replay / "tokenizer") != tokenizer_fingerprint(spec.tokenizer):
        raise InputError(
            f"{replay}: its text was encoded by another tokenizer than that of {spec.tokenizer}; name as "
            "pretraining.replay.tokens what a run with the same tokenizer wrote"
        )
    if (length := read_blocks(replay / "train.npy").shape[1]) > longest:
        raise InputError(
            f"{replay}: its rows have {length} tokens and would be longer than those of the new text; set "
            f"pretraining.max_seq_length to {length}"
        )
    return replay


def _seed(seed: int, number: int) -> int:
    """The seed of a part's rows and masks: that of the run for the first, one of its own for each other."""
    return seed if number == 0 else int(np.random.SeedSequence([seed, _ROWS, number]).generate_state(1)[0])


def _joined(new: Any, earlier: Any) -> Any:
    """Rows of both: packed ones, filled up to the longer of the two, or lists of documents."""
    if not isinstance(new, Packed):
        return [*new, *earlier]
    width = max(new.ids.shape[1], earlier.ids.shape[1])
    # The segment of padding and its position are 0; which id stands there is of no account.
    both = zip(new, earlier, strict=True)
    return Packed(*(np.concatenate([_widened(part, width) for part in pair]) for pair in both))


def _widened(rows: np.ndarray, width: int) -> np.ndarray:
    return np.pad(rows, ((0, 0), (0, width - rows.shape[1])))
