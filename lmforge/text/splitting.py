"""Labelled examples into training, validation and test splits that share no text and, where asked, no group.

One file is split by a hash of the group: adding examples never moves another one. Three given files keep their
splits; what leaks is taken out of the earlier split, so that the test set stays as it was given.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from lmforge.deduplication.matching import near_matches
from lmforge.deduplication.near import band_keys
from lmforge.errors import InputError
from lmforge.recipe.cleaning import Deduplication
from lmforge.recipe.data import LabelledData
from lmforge.text.normalizing import bucket, normalized_texts
from lmforge.text.records import Rejected
from lmforge.wording import listed, nearest, shown

SPLITS = ("train", "validation", "test")
# Parts of the meaning of a split: another salt would exchange training and test examples.
_SPLIT_SALT = "labelled split"
_ORDER_SALT = "labelled order"


@dataclass(frozen=True, slots=True)
class Example:
    """A repaired labelled text; `split` is None until it is drawn, `key` is its `text_key`.

    slices: values of `LabelledData.slices`, as they were read.
    """

    id: str
    text: str
    label: str
    group: str
    key: str
    source: str
    line: int
    repaired: bool
    split: str | None = None
    slices: tuple[Any, ...] = ()


def check_labels(examples: Sequence[Example], kept: Sequence[str]) -> None:
    """Raise InputError for spellings that differ in case or space only, and for `kept` labels that occur nowhere."""
    counter = Counter(example.label for example in examples)
    spellings: dict[str, list[str]] = defaultdict(list)
    for name in sorted(counter):
        spellings[" ".join(name.split()).casefold()].append(name)
    problems = []
    for names in spellings.values():
        if len(names) > 1 and (not kept or set(kept) & set(names)):
            # The commonest spelling without space around it.
            best = max(names, key=lambda name: (name == name.strip(), counter[name]))
            counts = ", ".join(f"{shown(name)!r} ({counter[name]})" for name in names)
            problems.append(f"labels differ in case or space only: {counts}; write {shown(best)!r} for all of them")
    for name in kept:
        if name not in counter:
            hint = f"; did you mean {shown(near)!r}?" if (near := nearest(name, counter)) else ""
            problems.append(
                f"label {shown(name)!r} of the recipe is nowhere in the data, which has {listed(counter)}{hint}"
            )
    if problems:
        raise InputError("\n".join(problems))


def split_examples(
    examples: Sequence[Example], data: LabelledData, deduplication: Deduplication
) -> tuple[dict[str, list[Example]], list[Rejected]]:
    """The examples of each split in source order, and those that none may hold, with a reason code.

    Raises InputError for an empty split, fewer than two labels, and labels that training never shows.
    """
    rejected: list[Rejected] = []
    examples = _sieve(examples, lambda example: _other_label(example, data.labels), rejected)
    pools: dict[str | None, list[Example]] = defaultdict(list)
    for example in examples:
        pools[example.split].append(example)
    pools = {name: _one_of_each_text(pool, rejected) for name, pool in pools.items()}
    if data.path:
        splits: dict[str, list[Example]] = {name: [] for name in SPLITS}
        for example in pools.get(None, []):
            splits[_draw(example.group, data)].append(example)
    else:
        splits = _without_leaks({name: pools.get(name, []) for name in SPLITS}, data.group is not None, rejected)
    if deduplication.near:
        splits, near = _without_near_leaks(splits, deduplication)
        rejected += near
    splits["train"] = _at_most(splits["train"], data.max_train_examples_per_label, rejected)
    _check_splits(splits)
    return splits, rejected


def _without_near_leaks(
    splits: dict[str, list[Example]], settings: Deduplication
) -> tuple[dict[str, list[Example]], list[Rejected]]:
    """The splits without the examples that are near duplicates of one in a later split, and those examples.

    Reason code: near_evaluation_set, with the id of the example that stays. The test split is never changed.
    """
    bands = {
        name: band_keys(
            normalized_texts(pl.Series([example.text for example in splits[name]], dtype=pl.String)), settings
        )
        for name in SPLITS
    }
    kept, rejected = {"test": splits["test"]}, list[Rejected]()
    reference, names = bands["test"], [example.id for example in splits["test"]]
    for name in ("validation", "train"):
        matches = near_matches(bands[name], reference)
        kept[name] = [example for example, match in zip(splits[name], matches, strict=True) if match < 0]
        rejected += [
            Rejected.of(
                "near_evaluation_set",
                one.source,
                one.line,
                one.text,
                detail=f"{shown(one.id)}: like {shown(names[match])}",
            )
            for one, match in zip(splits[name], matches.tolist(), strict=True)
            if match >= 0
        ]
        reference = np.concatenate([reference, bands[name][matches < 0]])
        names += [example.id for example in kept[name]]
    return {name: kept[name] for name in SPLITS}, rejected


def _bands(examples: Sequence[Example], settings: Deduplication) -> np.ndarray:
    texts = pl.Series([example.text for example in examples], dtype=pl.String)
    return band_keys(normalized_texts(texts), settings)


def _sieve(
    examples: Iterable[Example], decide: Callable[[Example], str | None], rejected: list[Rejected]
) -> list[Example]:
    kept = []
    for example in examples:
        reason = decide(example)
        if reason is None:
            kept.append(example)
        else:
            rejected.append(Rejected.of(reason, example.source, example.line, example.text, detail=shown(example.id)))
    return kept


def _other_label(example: Example, kept: Sequence[str]) -> str | None:
    return "other_label" if kept and example.label not in kept else None


def _one_of_each_text(pool: Sequence[Example], rejected: list[Rejected]) -> list[Example]:
    labels: dict[str, set[str]] = defaultdict(set)
    for example in pool:
        labels[example.key].add(example.label)
    seen: set[str] = set()

    def decide(example: Example) -> str | None:
        # No label of a contradiction is better than the other, and the first would depend on the order of the file.
        if len(labels[example.key]) > 1:
            return "conflicting_label"
        if example.key in seen:
            return "duplicate"
        seen.add(example.key)
        return None

    return _sieve(pool, decide, rejected)


def _draw(group: str, data: LabelledData) -> str:
    share = bucket(_SPLIT_SALT, group)
    if share < data.test_share:
        return "test"
    return "validation" if share < data.test_share + data.validation_share else "train"


def _without_leaks(
    splits: dict[str, list[Example]], by_group: bool, rejected: list[Rejected]
) -> dict[str, list[Example]]:
    keys: set[str] = set()
    groups: set[str] = set()

    def decide(example: Example) -> str | None:
        leaks = example.key in keys or (by_group and example.group in groups)
        return "in_evaluation_set" if leaks else None

    clean = {}
    # From test backwards: what was measured before stays, and training gives way.
    for name in reversed(SPLITS):
        clean[name] = _sieve(splits[name], decide, rejected)
        keys.update(example.key for example in clean[name])
        groups.update(example.group for example in clean[name])
    return clean


def _at_most(train: list[Example], limit: int | None, rejected: list[Rejected]) -> list[Example]:
    """At most `limit` examples of each label."""
    if limit is None:
        return train
    num_drawn: Counter[str] = Counter()
    drawn = set()
    # By hash, not the first ones: files are often sorted, and a larger limit keeps the same examples.
    for example in sorted(train, key=lambda example: bucket(_ORDER_SALT, example.id)):
        if num_drawn[example.label] < limit:
            num_drawn[example.label] += 1
            drawn.add(example.id)
    return _sieve(train, lambda example: None if example.id in drawn else "over_max_train_examples", rejected)


def _check_splits(splits: dict[str, list[Example]]) -> None:
    problems = [
        f"no {name} example is left; give more data or a larger share for it (quarantine.jsonl says what was dropped)"
        for name in SPLITS
        if not splits[name]
    ]
    shown_in_training = {example.label for example in splits["train"]}
    if len(shown_in_training) == 1:
        problems.append(
            f"every training example is labelled {listed(shown_in_training)}; a classifier needs two labels or more"
        )
    for name in SPLITS[1:]:
        unseen = {example.label for example in splits[name]} - shown_in_training
        if unseen and shown_in_training:
            problems.append(
                f"training never shows {listed(sorted(unseen))}, which {name} asks for; "
                "add training examples of them or list the other labels under `labels`"
            )
    if problems:
        raise InputError("labelled data: " + "\n".join(problems))
