"""Train a tokenizer on text and save it as a transformers directory.

Both kinds share five special tokens with fixed ids. Tokenizers of other origin have others: roles.py says which.
"""

from __future__ import annotations

import json
import string
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

from lmforge.errors import InputError
from lmforge.hashing import hash_file, hash_value
from lmforge.tokenization.characters import count_characters
from lmforge.tokenization.encoding import all_cores

if TYPE_CHECKING:
    # Whoever only loads a tokenizer, such as a rollback's self-test, needs no recipe, which takes a tenth of a second.
    from lmforge.recipe.schema import Tokenizer

SPECIAL_TOKENS = {
    "pad_token": "[PAD]",
    "unk_token": "[UNK]",
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "mask_token": "[MASK]",
}
NUM_SPECIAL = len(SPECIAL_TOKENS)
PAD, UNK, CLS, SEP, MASK = range(NUM_SPECIAL)
TOKENIZER_FILE = "tokenizer.json"
# What decides the ids of a text; how long a batch is cut or filled up is set anew by whoever encodes.
_DECISIVE = ("model", "added_tokens", "normalizer", "pre_tokenizer", "post_processor")
# As in BERT's own vocabulary: rarer characters are unknown instead of filling the vocabulary.
MAX_ALPHABET = 1000


def train_tokenizer(texts: Iterable[str], settings: Tokenizer, max_seq_length: int, out: Path) -> FastTokenizer:
    """Learn the vocabulary from `texts` and save the tokenizer to `out` in the form of `transformers`.

    The same texts give the same bytes. `texts` are read twice; an iterator is held in memory for that.
    Raises InputError when the text is too small for the vocabulary asked for, or its alphabet too large.
    """
    learn = _wordpiece if settings.kind == "wordpiece" else _byte_level_bpe
    with all_cores():
        tokenizer = learn(list(texts) if isinstance(texts, Iterator) else texts, settings)
    _check_size(tokenizer.get_vocab_size(), settings.vocab_size)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", CLS), ("[SEP]", SEP)]
    )
    save_tokenizer(tokenizer, max_seq_length, out)
    return load_tokenizer(out)


def tokenizer_fingerprint(directory: Path) -> str:
    """Hash of everything in a tokenizer that decides which ids a text gets.

    A copy that transformers saved with a model has the same one. Raises InputError when there is no tokenizer.
    """
    path = directory / TOKENIZER_FILE
    if not path.is_file():
        raise _missing(directory)
    return _fingerprint(path, hash_file(path))


def load_tokenizer(directory: Path) -> FastTokenizer:
    """The fast tokenizer of a tokenizer or model directory, without importing transformers.

    "[SEP]" in a text is text, never the special token. Raises InputError when there is none.
    """
    path = directory / TOKENIZER_FILE
    if not path.is_file():
        raise _missing(directory)
    tokenizer = FastTokenizer.from_file(str(path))
    tokenizer.encode_special_tokens = True
    return tokenizer


def save_tokenizer(
    tokenizer: FastTokenizer, max_seq_length: int, out: Path, names: Mapping[str, Any] | None = None, **settings: Any
) -> None:
    """Write a tokenizer as a transformers directory.

    names: special tokens by the names that transformers has for them, those of this project if not given. settings:
    others of transformers' tokenizer.
    """
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_seq_length,
        split_special_tokens=True,
        **(SPECIAL_TOKENS if names is None else names),
        **settings,
    )
    wrapped.save_pretrained(out)


@lru_cache(maxsize=16)
def _fingerprint(path: Path, digest: str) -> str:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return hash_value({part: content[part] for part in _DECISIVE})
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a tokenizer of the library tokenizers") from error


def _missing(directory: Path) -> InputError:
    return InputError(f"{directory}: no tokenizer here ({TOKENIZER_FILE} is missing)")


def _check_size(found: int, wanted: int) -> None:
    if found < wanted:
        raise InputError(
            f"tokenizer.vocab_size: {wanted} asked for, but the clean corpus yields only {found} distinct tokens; set "
            f"tokenizer.vocab_size to {found} or less, or add text"
        )
    if found > wanted:
        raise InputError(
            f"tokenizer.vocab_size: {wanted} asked for, but single characters alone take {found}; set "
            f"tokenizer.vocab_size to more than {found}, better to several times as many"
        )


def _wordpiece(texts: Iterable[str], settings: Tokenizer) -> FastTokenizer:
    normalizer = normalizers.BertNormalizer(lowercase=settings.lowercase, strip_accents=False)
    alphabet = _alphabet(texts, normalizer)
    # The trainer numbers continuing characters in the order of a hash table, another one in each process, and breaks
    # ties between merges by number. As special tokens they have their number before it starts.
    continuing = [f"##{character}" for character in alphabet if not _stands_alone(character)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=settings.vocab_size,
        special_tokens=[*SPECIAL_TOKENS.values(), *continuing],
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    learned = _wordpiece_of({}, normalizer)
    learned.train_from_iterator(texts, trainer)
    tokenizer = _wordpiece_of(learned.get_vocab(with_added_tokens=False), normalizer)
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS.values()))
    return tokenizer


def _wordpiece_of(vocabulary: dict[str, int], normalizer: normalizers.Normalizer) -> FastTokenizer:
    tokenizer = FastTokenizer(models.WordPiece(vocabulary, unk_token=SPECIAL_TOKENS["unk_token"]))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _alphabet(texts: Iterable[str], normalizer: normalizers.Normalizer) -> list[str]:
    """The most frequent characters of the normalized texts, sorted."""
    raw = count_characters(texts)
    counts: Counter[str] = Counter()
    for point in np.flatnonzero(raw).tolist():
        for normalized in normalizer.normalize_str(chr(point)):
            counts[normalized] += int(raw[point])
    ordered = sorted((one for one in counts if not one.isspace()), key=lambda one: (-counts[one], one))
    return sorted(ordered[:MAX_ALPHABET])


def _stands_alone(character: str) -> bool:
    """Whether a character is always a word of its own: punctuation and, by and large, ideographs."""
    category = unicodedata.category(character)
    return character in string.punctuation or category.startswith("P") or "CJK" in unicodedata.name(character, "")


def _byte_level_bpe(texts: Iterable[str], settings: Tokenizer) -> FastTokenizer:
    tokenizer = FastTokenizer(models.BPE(unk_token=None))
    if settings.lowercase:
        tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=settings.vocab_size,
        special_tokens=list(SPECIAL_TOKENS.values()),
        # Every byte has a token, so no text is unknown.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
