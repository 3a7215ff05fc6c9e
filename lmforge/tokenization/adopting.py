"""The tokenizer of a model that a run starts from, in the form in which this project keeps its own.

The ids of its tokens stay what they are, because the model knows no others. Sentinels of hidden spans, which stand
behind a tokenizer's own tokens, are left out: text is encoded without them, and whoever trains on spans adds them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as FastTokenizer

from lmforge.artifacts.artifact import Counts
from lmforge.artifacts.store import Outcome, Request
from lmforge.errors import InputError
from lmforge.hashing import code_fingerprint
from lmforge.tokenization.tokenizer import (
    SPECIAL_TOKENS,
    TOKENIZER_FILE,
    load_tokenizer,
    num_special,
    save_tokenizer,
    tokenizer_fingerprint,
)

_SENTINEL = "<extra_id_"
# Ids are stored in 16 bits.
_MAX_VOCABULARY = 1 << 16
_FRAME = ("[CLS]", "[SEP]")


@dataclass(frozen=True)
class AdoptedTokenizerUnit:
    """The tokenizer in a model directory, checked."""

    start: Path
    max_seq_length: int

    def request(self) -> Request:
        """By what decides the ids of a text."""
        inputs = {"tokenizer": tokenizer_fingerprint(self.start)}
        code = code_fingerprint(("lmforge.tokenization.adopting",), ("tokenizers", "transformers"))
        return Request("tokenize.tokenizer", "tokenizer", {"max_seq_length": self.max_seq_length}, inputs, code)

    def build(self, out: Path) -> Outcome:
        """Write a transformers directory to `out`; raises InputError for a tokenizer that makes no blocks."""
        content: dict[str, Any] = json.loads((self.start / TOKENIZER_FILE).read_text(encoding="utf-8"))
        # The vocabulary of a Unigram model is a list of pairs, that of the others maps tokens to ids.
        vocabulary = content.get("model", {}).get("vocab", {})
        added = [one for one in content["added_tokens"] if not self._behind(one, vocabulary)]
        tokenizer = FastTokenizer.from_str(json.dumps(content | {"added_tokens": added}))
        tokenizer.no_truncation()
        tokenizer.no_padding()
        _check(tokenizer, self.start)
        save_tokenizer(tokenizer, self.max_seq_length, out)
        return Outcome(Counts(), {"vocab_size": load_tokenizer(out).get_vocab_size()})

    @staticmethod
    def _behind(token: dict[str, Any], vocabulary: Any) -> bool:
        return token["content"].startswith(_SENTINEL) and token["content"] not in vocabulary


def _check(tokenizer: FastTokenizer, start: Path) -> None:
    where = f"model.from: the tokenizer of {start}"
    if missing := [token for token in SPECIAL_TOKENS.values() if tokenizer.token_to_id(token) is None]:
        raise InputError(
            f"{where} lacks {', '.join(missing)}; those of lmforge and of the BERT family have them, others cannot be "
            "gone on with yet"
        )
    if (size := tokenizer.get_vocab_size()) > _MAX_VOCABULARY:
        raise InputError(f"{where} has {size:,} tokens; at most {_MAX_VOCABULARY:,} fit into token blocks")
    if tokenizer.token_to_id(SPECIAL_TOKENS["pad_token"]) != 0:
        raise InputError(f"{where} has another token than [PAD] as its id 0; blocks are filled up with that id")
    framed = [tokenizer.id_to_token(number) or "" for number in tokenizer.encode("").ids]
    if tuple(framed) != _FRAME:
        raise InputError(f"{where} frames a text as {' '.join(framed) or 'nothing'} and not as [CLS] text [SEP]")
    # [unused7] is a free place of BERT's vocabulary, no token of any text.
    taken = [tokenizer.id_to_token(number) or "" for number in range(num_special(tokenizer))]
    ordinary = [token for token in taken if token not in SPECIAL_TOKENS.values() and not token.startswith("[unused")]
    if ordinary:
        raise InputError(f"{where} has ordinary tokens before its special ones, such as {ordinary[0]!r}")
