"""The tokenizer of a model that a run starts from, in the form in which this project keeps its own.

The ids of its tokens stay what they are, because the model knows no others; they are those that transformers gives a
text, which builds the tokenizers of some architectures anew and not as their file has them. Sentinels of hidden spans
that were put behind a tokenizer's own tokens are left out: text is encoded without them, and whoever trains on spans
adds them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tokenizers import Tokenizer as FastTokenizer

from lmforge.artifacts.artifact import Counts
from lmforge.artifacts.store import Outcome, Request
from lmforge.errors import InputError
from lmforge.hashing import code_fingerprint, hash_value
from lmforge.tokenization.roles import NAMING_FILES, ROLE_NAMES, check_objectives, roles_of, special_names
from lmforge.tokenization.tokenizer import load_tokenizer, save_tokenizer, tokenizer_fingerprint

_SENTINEL = "<extra_id_{}>"
_CONFIG_FILE, _TOKENIZER_CONFIG = "config.json", NAMING_FILES[-1]
# Nothing in the other settings of these classes decides an id: they take the tokenizer's file as it is.
_PLAIN_CLASSES = ("TokenizersBackend", "PreTrainedTokenizerFast")
# Settings of a tokenizer that decide no id.
_IDLE = ("model_max_length", "name_or_path", "chat_template", "padding_side", "truncation_side", "is_local", "backend")
_KEPT = ("padding_side", "model_input_names", "clean_up_tokenization_spaces", "chat_template")


@dataclass(frozen=True)
class AdoptedTokenizerUnit:
    """The tokenizer in a model directory, checked."""

    start: Path
    max_seq_length: int

    def request(self) -> Request:
        """By what decides the ids of a text."""
        inputs = {"tokenizer": tokenizer_fingerprint(self.start), "named": hash_value(_naming(self.start))}
        modules = ("lmforge.tokenization.adopting", "lmforge.tokenization.roles")
        code = code_fingerprint(modules, ("tokenizers", "transformers"))
        return Request("tokenize.tokenizer", "tokenizer", {"max_seq_length": self.max_seq_length}, inputs, code)

    def build(self, out: Path) -> Outcome:
        """Write a transformers directory to `out`; raises InputError for a tokenizer that makes no blocks."""
        adopt_tokenizer(self.start, self.max_seq_length, out)
        return Outcome(Counts(), {"vocab_size": load_tokenizer(out).get_vocab_size()})


def adopt_tokenizer(start: Path, max_seq_length: int, out: Path) -> None:
    """Write the tokenizer of the model in `start` to `out`: the same ids for a text, and no text is a special token.

    Raises InputError for a tokenizer that is not one of the library `tokenizers`, that does not fit the model, or
    in which no token begins or ends a text.
    """
    tokenizer_fingerprint(start)
    wrapped = _opened(start)
    content: dict[str, Any] = json.loads(wrapped.backend_tokenizer.to_str()) | {"truncation": None, "padding": None}
    content["added_tokens"] = _without_sentinels(content)
    tokenizer = _read(content)
    if _finds_special(tokenizer):
        tokenizer = _read(content | {"pre_tokenizer": _apart(content, special_names(tokenizer))})
    _check(tokenizer, start)
    kept = {name: getattr(wrapped, name) for name in _KEPT if getattr(wrapped, name) is not None}
    # As the tokenizer has them, because transformers would add a mere name anew.
    added = {token.content: token for token in tokenizer.get_added_tokens_decoder().values()}
    named = {name: getattr(wrapped, name) for name in ROLE_NAMES}
    names = {name: added.get(token, token) for name, token in named.items() if token is not None}
    save_tokenizer(tokenizer, max_seq_length, out, names, **kept)
    roles = roles_of(out)
    if not (roles.prefix or roles.suffix):
        raise InputError(
            f"model.from: the tokenizer of {start} has no token that begins or ends a text; name one as eos_token in "
            f"its {_TOKENIZER_CONFIG}"
        )


def check_adoption(start: Path, max_seq_length: int, objectives: tuple[str, ...]) -> None:
    """Raise InputError for a tokenizer that cannot be adopted, or lacks a token which an objective needs."""
    with TemporaryDirectory() as directory:
        adopted = Path(directory) / "tokenizer"
        adopt_tokenizer(start, max_seq_length, adopted)
        check_objectives(adopted, objectives, of=start)


def _opened(start: Path) -> Any:
    from transformers import AutoTokenizer

    try:
        wrapped = AutoTokenizer.from_pretrained(start, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, ImportError) as error:
        # What follows the first line may be advice to run code of the directory.
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"model.from: transformers cannot load the tokenizer of {start}: {reason}") from error
    if not wrapped.is_fast:
        raise InputError(f"model.from: the tokenizer of {start} is a {type(wrapped).__name__}, not a fast one")
    return wrapped


def _read(content: dict[str, Any]) -> FastTokenizer:
    tokenizer = FastTokenizer.from_str(json.dumps(content))
    tokenizer.encode_special_tokens = True
    return tokenizer


def _naming(start: Path) -> dict[str, Any]:
    """What beside a tokenizer's own file decides ids and special tokens."""
    found: dict[str, Any] = {}
    for path in (start / name for name in NAMING_FILES):
        if path.is_file():
            found |= _json(path)
    if found.get("tokenizer_class") in _PLAIN_CLASSES:
        return {name: found.get(name) for name in ROLE_NAMES}
    kind = _json(start / _CONFIG_FILE).get("model_type") if (start / _CONFIG_FILE).is_file() else None
    return {name: value for name, value in found.items() if name not in _IDLE} | {"model_type": kind}


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"model.from: {path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict):
        raise InputError(f"model.from: {path} holds no JSON object")
    return content


def _without_sentinels(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The added tokens without sentinels that are the last tokens of all, in their order and in no text.

    Those of T5's own tokenizer stand in its vocabulary, the first of them last, and stay.
    """
    vocabulary = content["model"]["vocab"]
    # The vocabulary of a Unigram model is a list of pairs, that of the others maps tokens to ids.
    known = {one[0] for one in vocabulary} if isinstance(vocabulary, list) else vocabulary
    added: list[dict[str, Any]] = sorted(content["added_tokens"], key=lambda one: int(one["id"]))
    number = sum(one["content"].startswith(_SENTINEL[:-3]) and one["content"] not in known for one in added)
    behind = [one["content"] for one in added[len(added) - number :]]
    return added[: len(added) - number] if behind == [_SENTINEL.format(place) for place in range(number)] else added


def _finds_special(tokenizer: FastTokenizer) -> bool:
    """Whether a special token's name in a text is encoded as that token."""
    names = special_names(tokenizer)
    encoded = tokenizer.encode_batch([f"a {name}" for name in names], add_special_tokens=False)
    return any(tokenizer.token_to_id(name) in one.ids for name, one in zip(names, encoded, strict=True))


def _apart(content: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """A splitter that cuts the names of special tokens behind their first character.

    A Unigram model has them among its pieces and finds them in a text; text without such names is not touched.
    """
    pattern = "|".join(f"{re.escape(name[0])}(?={re.escape(name[1:])})" for name in names if len(name) > 1)
    cut = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "MergedWithPrevious", "invert": False}
    before = content["pre_tokenizer"]
    steps = before["pretokenizers"] if before and before["type"] == "Sequence" else [before] if before else []
    return {"type": "Sequence", "pretokenizers": [*steps, cut]}


def _check(tokenizer: FastTokenizer, start: Path) -> None:
    where, size = f"model.from: the tokenizer of {start}", tokenizer.get_vocab_size()
    if (largest := max(tokenizer.get_vocab().values(), default=0)) >= size:
        raise InputError(f"{where} has {size:,} tokens, but the id {largest:,}: ids must have no gaps")
    config = start / _CONFIG_FILE
    known = _json(config).get("vocab_size") if config.is_file() else None
    if isinstance(known, int) and size > known:
        raise InputError(f"{where} has {size:,} tokens, but the model has {known:,}; save the one it was trained with")
