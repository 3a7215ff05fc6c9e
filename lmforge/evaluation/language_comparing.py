"""Whether two language models can be compared at all: a number of both that means the same.

Bits a byte of a text compare whatever the tokenizer, as long as it keeps all of the text: one that drops case or turns
rare characters into `[UNK]` pays nothing for what it does not keep, and would win by that.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import polars as pl

from lmforge.errors import RefusedError
from lmforge.evaluation.language_documents import measured
from lmforge.hashing import short
from lmforge.recipe.optimization import Pretraining
from lmforge.tokenization.tokenizer import load_tokenizer, tokenizer_fingerprint
from lmforge.wording import shown


class Contender(NamedTuple):
    """A registered base model: how messages name it, as `NAME/VERSION`, what it learned, and its directory.

    objective: None where its registration does not say.
    """

    name: str
    objective: str | None
    directory: Path


def require_comparable(challenger: Contender, champion: Contender, documents: pl.DataFrame) -> None:
    """Raise RefusedError, with how to go on, where no number measures both on the same documents.

    documents: those that both are to be asked about, with `id` and `text`.
    """
    begin = f"{challenger.name} cannot be compared with the champion {champion.name}: "
    if (reason := _reason(challenger, champion, documents)) is not None:
        raise RefusedError(
            f"{begin}{reason}. Go on from the champion and its tokenizer (model.from: models:/{champion.name}), or "
            "change the recipe's name, so that a line of models of its own begins"
        )


def _reason(challenger: Contender, champion: Contender, documents: pl.DataFrame) -> str | None:
    ours, theirs = _measure(challenger), _measure(champion)
    if ours is None or ours != theirs:
        told = f"{champion.name} has no tag that says how it was trained" if theirs is None else (
            f"it is measured by {ours}, the champion by {theirs}"
        )  # fmt: skip
        return f"{told}, so there is no number of both"
    first, second = (tokenizer_fingerprint(one.directory) for one in (challenger, champion))
    if first == second:
        return None
    differ = f"their tokenizers differ ({short(first)}, {short(second)})"
    if ours != "causal_lm":
        return f"{differ}, and what a hidden token costs depends on what a token is"
    for one in (challenger, champion):
        if (changed := _first_changed(one.directory, documents)) is not None:
            return (
                f"{differ}, and that of {one.name} does not keep all of a text (document {shown(changed)} comes back "
                "changed), so its bits are not those of the text; tokenizers that do are of kind bpe, lowercase: false"
            )
    return None


def _measure(one: Contender) -> str | None:
    """The objective by which it is measured, which several share."""
    return None if one.objective is None else measured(Pretraining.model_construct(objective=one.objective)).objective


def _first_changed(directory: Path, documents: pl.DataFrame) -> str | None:
    """The id of a document that does not come back from its tokens as it was."""
    tokenizer, texts = load_tokenizer(directory), documents["text"].to_list()
    encoded = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    decoded = tokenizer.decode_batch([one.ids for one in encoded], skip_special_tokens=False)
    changed = (name for name, text, back in zip(documents["id"], texts, decoded, strict=True) if text != back)
    return next(changed, None)
