"""Which token of a tokenizer plays which part: what pads, begins, ends and hides, what frames a text, what is no text.

Names come from the files of transformers, the frame from what the tokenizer itself writes around a text. Special tokens
may stand anywhere in a vocabulary, and a tokenizer may lack any of them: GPT-2's has one, which ends a document.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import models, processors

from lmforge.errors import InputError
from lmforge.hashing import hash_file
from lmforge.tokenization.tokenizer import SPECIAL_TOKENS, TOKENIZER_FILE, load_tokenizer

# In the order in which transformers reads them; the second has the last word.
NAMING_FILES = ("special_tokens_map.json", "tokenizer_config.json")
ROLE_NAMES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token", "bos_token", "eos_token")
# Ordinary text to any tokenizer, whatever it does at the ends of it.
_PROBE = "a 0 . the"
# A free place of BERT's vocabularies, no token of any text.
_FREE = "[unused"
_NEEDED = {
    "masked_lm": ("mask",),
    "replaced_token_detection": ("mask",),
    "contrastive_masked_lm": ("mask", "begin", "end"),
    "next_sentence": ("mask", "begin", "end"),
    "sentence_order": ("mask", "begin", "end"),
    "denoising": ("mask", "end"),
    "span_corruption": ("end",),
    "causal_lm": (),
}


class Roles(NamedTuple):
    """Ids of tokens by what they do; None for what the tokenizer lacks.

    pad: `end` where there is none, because padding is marked elsewhere, too. unknown: what the tokenizer really
    writes for a text that it has no token for. prefix, suffix: what frames a document in blocks. ordinary: which ids
    stand for text, bool [vocab_size].
    """

    pad: int
    begin: int | None
    end: int | None
    mask: int | None
    unknown: int | None
    prefix: tuple[int, ...]
    suffix: tuple[int, ...]
    ordinary: np.ndarray

    @property
    def start(self) -> int:
        """The token that a document begins behind: its first one, or the one that ended the document before it."""
        found = self.prefix[0] if self.prefix else self.end
        assert found is not None, "a document has a border"
        return found

    def lacking(self, objective: str) -> tuple[str, ...]:
        """Which tokens a pre-training objective needs that the tokenizer does not have."""
        return tuple(part for part in _NEEDED[objective] if getattr(self, part) is None)


def roles_of(directory: Path) -> Roles:
    """The roles in the tokenizer of a directory; raises InputError where there is none that can be read."""
    files = [directory / name for name in (TOKENIZER_FILE, *NAMING_FILES)]
    content = tuple((path.name, hash_file(path)) for path in files if path.is_file())
    if content not in _known:
        if len(_known) == _MOST_KNOWN:
            _known.clear()
        _known[content] = _read_roles(directory)
    return _known[content]


def document_tokenizer(directory: Path) -> FastTokenizer:
    """The tokenizer of a directory, as documents are encoded with it for blocks.

    One that writes nothing around a text gets a frame, so that documents have borders: the token that ends a text, and
    before it the one that begins it; where there is one token for both, as in GPT-2, on both sides. A token that is
    written before a text lets the first one of a text be predicted, as that of any other tokenizer.
    """
    tokenizer, roles = load_tokenizer(directory), roles_of(directory)
    if not any(_written(tokenizer)):
        names = [[tokenizer.id_to_token(number) for number in side] for side in (roles.prefix, roles.suffix)]
        ids = [(tokenizer.id_to_token(number), number) for number in {*roles.prefix, *roles.suffix}]
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[*names[0], "$A", *names[1]], special_tokens=ids
        )
    return tokenizer


def special_names(tokenizer: FastTokenizer) -> list[str]:
    """Names that are no text where they stand in one, in the order of their ids."""
    added = sorted(tokenizer.get_added_tokens_decoder().items())
    return [token.content for _, token in added if token.special]


def check_objectives(directory: Path, objectives: tuple[str, ...], of: Path | None = None) -> None:
    """Raise InputError for a pre-training objective that needs a token which the tokenizer does not have.

    of: what people know the directory as, where that is another one.
    """
    roles = roles_of(directory)
    for objective in objectives:
        if lacking := roles.lacking(objective):
            fitting = ", ".join(one for one in _NEEDED if not roles.lacking(one))
            raise InputError(
                f"pretraining.objective: {objective} needs a token for {' and '.join(lacking)}, which the tokenizer of "
                f"{of or directory} does not have; as far as its tokens go, these can be learned: {fitting}"
            )


# By names and hashes of the files: a stage copies a tokenizer, and opening a large one takes half a second.
_known: dict[tuple[tuple[str, str], ...], Roles] = {}
_MOST_KNOWN = 16


def _read_roles(directory: Path) -> Roles:
    tokenizer = load_tokenizer(directory)
    named = {name: tokenizer.token_to_id(token) for name, token in _names(directory).items()}
    prefix, suffix = _written(tokenizer)
    begin = prefix[0] if prefix else _first(named, "bos_token", "cls_token")
    end = suffix[-1] if suffix else _first(named, "eos_token", "sep_token")
    if not prefix and not suffix:
        first, last = (begin if begin is not None else end), end
        prefix, suffix = (tuple(one for one in (side,) if one is not None) for side in (first, last))
    pad = next((one for one in (named.get("pad_token"), end, begin) if one is not None), 0)
    ordinary = np.ones(tokenizer.get_vocab_size(), dtype=bool)
    ordinary[list(_no_text(tokenizer, [*named.values(), *prefix, *suffix]))] = False
    ordinary.flags.writeable = False
    mask, unknown = named.get("mask_token"), _unknown(tokenizer, named)
    return Roles(pad, begin, end, mask, unknown, prefix, suffix, ordinary)


def _names(directory: Path) -> dict[str, str]:
    """Special tokens by the names that transformers has for them; those of lmforge where no file names any."""
    found: dict[str, Any] = {}
    for path in (directory / name for name in NAMING_FILES):
        if path.is_file():
            try:
                content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
                found |= {name: content[name] for name in ROLE_NAMES if content.get(name) is not None}
            except (ValueError, AttributeError, TypeError) as error:
                raise InputError(f"{path}: not a description of a tokenizer by transformers") from error
    # Written either as a name or, with how it is searched for, as a mapping.
    named = {name: str(token["content"] if isinstance(token, dict) else token) for name, token in found.items()}
    return named or SPECIAL_TOKENS


def _written(tokenizer: FastTokenizer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """What the tokenizer itself writes before and behind a text."""
    encoding = tokenizer.encode(_PROBE)
    ids = encoding.ids
    inside = [place for place, special in enumerate(encoding.special_tokens_mask) if not special]
    if not inside:
        raise InputError(f"the tokenizer has no token for any part of {_PROBE!r}; no text can be encoded with it")
    return tuple(ids[: inside[0]]), tuple(ids[inside[-1] + 1 :])


def _first(named: dict[str, int | None], *names: str) -> int | None:
    return next((number for name in names if (number := named.get(name)) is not None), None)


def _unknown(tokenizer: FastTokenizer, named: dict[str, int | None]) -> int | None:
    # What transformers calls unknown is GPT-2's end of a document, which no text is encoded as.
    if isinstance(tokenizer.model, models.Unigram):
        return named.get("unk_token")
    written = tokenizer.model.unk_token
    return None if written is None else tokenizer.token_to_id(written)


def _no_text(tokenizer: FastTokenizer, named: list[int | None]) -> Iterator[int]:
    yield from (number for number in named if number is not None)
    yield from (number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special)
    yield from (number for token, number in tokenizer.get_vocab().items() if token.startswith(_FREE))
