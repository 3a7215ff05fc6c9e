"""The ids of `tokenizers` in a fraction of the time: each distinct word is encoded once, and texts are made of words.

A text is cut only where the tokenizer cuts whatever stands around: beside blanks and punctuation (WordPiece), or where
a run of one class of characters ends (byte-level BPE; a contraction stays with the word behind it). Both sides of such
a cut get the same ids apart as together. Which class a character has is asked of the tokenizer itself; a document with
a character on which it and the pattern of words do not agree goes to `encode`, and so do all texts of a tokenizer of
another make.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
import polars as pl
from tokenizers import Tokenizer as FastTokenizer
from tokenizers import models, normalizers, pre_tokenizers, processors

from lmforge.tokenization.characters import NUM_CODE_POINTS
from lmforge.tokenization.encoding import Encoded, all_cores, encode, id_type

_PUNCTUATION = r"[\p{P}$+<=>^`|~]"
_WORDPIECE = rf"[^\s\p{{P}}$+<=>^`|~]+|{_PUNCTUATION}"
# The tokenizer decides on blanks by what follows, and on contractions by what precedes: a cut never parts them from it.
_BYTE_LEVEL = r"\s*(?:[\p{L}\p{N}]+(?:'[\p{L}\p{N}]+)*|[^\s\p{L}\p{N}]*'[\p{L}\p{N}]+|[^\s\p{L}\p{N}]+)|\s+"
_UNKNOWN, _SAFE, _UNSAFE = range(3)
_NUM_ASCII = 0x80
_BYTES_AT_ONCE = 8 << 20
_WORDS_AT_ONCE = 256
# What the words held may take: their characters, and about so much for each besides.
_MAX_TABLE_BYTES, _BYTES_PER_WORD = 128 << 20, 64


class WordEncoder:
    """Encodes texts of a tokenizer as `encode` does, and remembers words from one call to the next."""

    def __init__(self, tokenizer: FastTokenizer) -> None:
        """tokenizer: not changed as long as this lives."""
        self._reference = tokenizer
        self._pattern = _pattern(tokenizer)
        self._states = np.full(NUM_CODE_POINTS, _UNKNOWN, dtype=np.uint8)
        self.num_by_words = 0
        if self._pattern:
            self._learn_characters(np.arange(_NUM_ASCII))
            self._words = _Words(tokenizer, tokenizer.encode("").ids)

    def encode(self, texts: pl.Series) -> Encoded:
        """The ids that `encode` gives the texts; `num_by_words` counts the documents that it was not needed for."""
        if not self._pattern:
            return encode(self._reference, texts.to_list())
        plain = self._is_unsafe(texts)
        self.num_by_words += len(texts) - int(plain.sum())
        if not plain.any():
            return self._by_words(texts)
        rest = encode(self._reference, texts.filter(pl.Series(plain)).to_list())
        return Encoded.merged(plain, rest, self._by_words(texts.filter(pl.Series(~plain))))

    def _by_words(self, texts: pl.Series) -> Encoded:
        assert self._pattern is not None
        return Encoded.joined([self._words.encode(part.str.extract_all(self._pattern)) for part in _slices(texts)])

    def _is_unsafe(self, texts: pl.Series) -> np.ndarray:
        wide = texts.filter(texts.str.len_bytes() != texts.str.len_chars())
        points = np.zeros(NUM_CODE_POINTS, dtype=np.bool_)
        for part in _slices(wide):
            points[np.frombuffer("".join(part).encode("utf-32-le"), dtype="<u4")] = True
        points[:_NUM_ASCII] = True
        self._learn_characters(np.flatnonzero(points & (self._states == _UNKNOWN)))
        unsafe = np.flatnonzero(points & (self._states == _UNSAFE)).tolist()
        if not unsafe:
            return np.zeros(len(texts), dtype=np.bool_)
        return texts.str.contains(character_class(map(chr, unsafe))).to_numpy()

    def _learn_characters(self, points: np.ndarray) -> None:
        characters = list(map(chr, points.tolist()))
        judge = _agrees_on_bert if isinstance(self._reference.model, models.WordPiece) else _agrees_on_bytes
        self._states[points] = np.where(judge(self._reference, characters), _SAFE, _UNSAFE)


def character_class(characters: Iterable[str]) -> str:
    """A pattern of polars for any one of the characters; it matches nothing where there are none."""
    escaped = "".join(f"\\x{{{ord(one):x}}}" for one in characters)
    return f"[{escaped}]" if escaped else r"[^\s\S]"


class _Words:
    """Ids of all words seen, and of the two special tokens that frame a text as the words 0 and 1."""

    def __init__(self, tokenizer: FastTokenizer, frame: Sequence[int]) -> None:
        self._reference, self._frame = tokenizer, frame
        self._token_bytes = _token_bytes(tokenizer)
        self._clear()

    def _clear(self) -> None:
        # A number stands for its word only as long as there is a series of these categories.
        self._numbered = pl.Series([""], dtype=pl.Categorical(pl.Categories.random()))
        self._ids = np.array(self._frame, dtype=id_type(self._reference.get_vocab_size()))
        self._starts = np.arange(len(self._frame))
        # -1: not seen yet.
        self._lengths = np.ones(len(self._frame), dtype=np.int64)
        self._num_bytes = 0

    def encode(self, documents: pl.Series) -> Encoded:
        """documents: the words of each, list of str."""
        if self._num_bytes > _MAX_TABLE_BYTES:
            self._clear()
        num_words = documents.list.len().to_numpy().astype(np.int64)
        words = documents.explode(empty_as_null=False)
        numbers = words.cast(self._numbered.dtype).to_physical().to_numpy() + np.int64(len(self._frame))
        self._learn(words, numbers)
        return self._gathered(*_framed(numbers, num_words))

    def _learn(self, words: pl.Series, numbers: np.ndarray) -> None:
        more = int(numbers.max(initial=0)) + 1 - len(self._lengths)
        if more > 0:
            self._starts = np.concatenate([self._starts, np.zeros(more, dtype=np.int64)])
            self._lengths = np.concatenate([self._lengths, np.full(more, -1)])
        places = np.full(len(self._lengths), -1)
        places[numbers] = np.arange(len(numbers))
        new = np.flatnonzero((places >= 0) & (self._lengths < 0))
        if not len(new):
            return
        chosen = words.gather(places[new])
        ids, lengths = _encode_words(self._reference, chosen, self._token_bytes)
        self._starts[new] = len(self._ids) + lengths.cumsum() - lengths
        self._lengths[new] = lengths
        self._ids = np.concatenate([self._ids, ids])
        self._num_bytes += int(chosen.str.len_bytes().sum()) + _BYTES_PER_WORD * len(new)

    def _gathered(self, numbers: np.ndarray, firsts: np.ndarray) -> Encoded:
        lengths = self._lengths[numbers]
        ends = lengths.cumsum()
        total = int(ends[-1]) if len(ends) else 0
        places = np.repeat(self._starts[numbers] - (ends - lengths), lengths)
        places += np.arange(total)
        borders = np.append((ends - lengths)[firsts], total)
        return Encoded(self._ids[places], np.diff(borders))


def _framed(numbers: np.ndarray, num_words: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Words with those of the frame around each document, and where in them each document begins."""
    ends = (num_words + 2).cumsum()
    firsts = ends - num_words - 2
    framed = np.empty(len(numbers) + 2 * len(num_words), dtype=np.int64)
    inner = np.ones(len(framed), dtype=np.bool_)
    inner[firsts] = inner[ends - 1] = False
    framed[firsts], framed[ends - 1], framed[inner] = 0, 1, numbers
    return framed, firsts


def _encode_words(
    tokenizer: FastTokenizer, words: pl.Series, token_bytes: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Ids of words one after another, and how many each has. token_bytes: as `_token_bytes` has it."""
    listed, wide = words.to_list(), id_type(tokenizer.get_vocab_size())
    batches = [listed[start : start + _WORDS_AT_ONCE] for start in range(0, len(listed), _WORDS_AT_ONCE)]
    if token_bytes is not None:
        with all_cores():
            encodings = tokenizer.encode_batch_fast(batches, is_pretokenized=True, add_special_tokens=False)
        ids = np.fromiter(chain.from_iterable(one.ids for one in encodings), dtype=wide)
        ends, wanted = token_bytes[ids].cumsum(), words.str.len_bytes().cast(pl.Int64).cum_sum().to_numpy()
        behind = np.searchsorted(ends, wanted) + 1
        if len(ends) == behind[-1] and (ends[behind - 1] == wanted).all():
            return ids, np.diff(behind, prepend=0)
    with all_cores():
        encodings = tokenizer.encode_batch(batches, is_pretokenized=True, add_special_tokens=False)
    ids = np.fromiter(chain.from_iterable(one.ids for one in encodings), dtype=wide)
    first = np.repeat(np.arange(len(batches)) * _WORDS_AT_ONCE, [len(one) for one in encodings])
    within = np.fromiter(chain.from_iterable(one.word_ids for one in encodings), dtype=np.int64)
    return ids, np.bincount(first + within, minlength=len(listed))


def _token_bytes(tokenizer: FastTokenizer) -> np.ndarray | None:
    """How many bytes of text each token of a byte-level tokenizer is, int64 [vocab_size]; None for any other.

    With them the words behind a row of ids are found again, so that the library need not keep track of them, which
    takes it a quarter of its time. A normalizer may change the bytes of a word.
    """
    if not isinstance(tokenizer.model, models.BPE) or tokenizer.normalizer is not None:
        return None
    vocabulary = tokenizer.get_vocab()
    sizes = np.zeros(max(vocabulary.values()) + 1, dtype=np.int64)
    for token, number in vocabulary.items():
        sizes[number] = len(token)  # a character of a token is a byte of the text
    return sizes


def _slices(texts: pl.Series) -> Iterator[pl.Series]:
    """The texts some megabytes at a time, in order; no text is cut."""
    number = (texts.str.len_bytes().cast(pl.Int64).cum_sum() // _BYTES_AT_ONCE).to_numpy()
    borders = [*np.flatnonzero(np.diff(number, prepend=-1)).tolist(), len(texts)]
    for start, end in pairwise(borders):
        yield texts[start:end]


def _pattern(tokenizer: FastTokenizer) -> str | None:
    """What finds the words of a text; None for a tokenizer whose words are not known to be encoded one by one."""
    pattern = None
    model, normalizer, splitter = tokenizer.model, tokenizer.normalizer, tokenizer.pre_tokenizer
    if isinstance(model, models.WordPiece) and isinstance(splitter, pre_tokenizers.BertPreTokenizer):
        pattern = _WORDPIECE if _is_bert(normalizer) else None
    elif isinstance(model, models.BPE) and not model.dropout and isinstance(splitter, pre_tokenizers.ByteLevel):
        plain = normalizer is None or isinstance(normalizer, normalizers.Lowercase)
        pattern = _BYTE_LEVEL if plain and splitter.use_regex and not splitter.add_prefix_space else None
    return pattern if pattern and _encodes_all_text_alike(tokenizer) and _frames_by_two(tokenizer) else None


def _encodes_all_text_alike(tokenizer: FastTokenizer) -> bool:
    """Whether no added token is searched for in a text, and none is cut or filled up."""
    added = tokenizer.get_added_tokens_decoder().values()
    searched = bool(added) and not (tokenizer.encode_special_tokens and all(token.special for token in added))
    return not searched and tokenizer.truncation is None and tokenizer.padding is None


def _frames_by_two(tokenizer: FastTokenizer) -> bool:
    frame = tokenizer.encode("").ids
    makes = processors.TemplateProcessing | processors.BertProcessing | processors.RobertaProcessing
    known = isinstance(tokenizer.post_processor, makes)
    plain = tokenizer.encode("a b", add_special_tokens=False).ids
    return known and len(frame) == 2 and tokenizer.encode("a b").ids == [frame[0], *plain, frame[1]]


def _is_bert(normalizer: normalizers.Normalizer | None) -> bool:
    """Whether each character is normalized alone; accents are not, they are decomposed and sorted first."""
    if not isinstance(normalizer, normalizers.BertNormalizer):
        return False
    strips = normalizer.lowercase if normalizer.strip_accents is None else normalizer.strip_accents
    return not strips


def _agrees_on_bert(tokenizer: FastTokenizer, characters: Sequence[str]) -> list[bool]:
    """Whether the tokenizer cuts at each character at which the pattern cuts; it may cut elsewhere, too."""

    def agrees(character: str, blank: bool, mark: bool) -> bool:
        if not (blank or mark):
            return True
        found = _pieces(tokenizer, tokenizer.normalizer.normalize_str(f"a{character}b"))
        return found == ["a", "b"] if blank else len(found) > 1 and (found[0], found[-1]) == ("a", "b")

    blanks, marks = _matches(characters, r"\s"), _matches(characters, _PUNCTUATION)
    return [agrees(*one) for one in zip(characters, blanks, marks, strict=True)]


def _agrees_on_bytes(tokenizer: FastTokenizer, characters: Sequence[str]) -> list[bool]:
    """Whether the tokenizer holds each character for a blank, for a letter or digit, or for neither, as we do."""

    def agrees(character: str, blank: bool, alphanumeric: bool) -> bool:
        lowered = tokenizer.normalizer.normalize_str(character) if tokenizer.normalizer else character
        if len(lowered) != 1 or (lowered == "'") != (character == "'"):
            return False
        if blank:
            return len(found := _pieces(tokenizer, f"a{lowered} ")) == 2 and found[0] == "a"
        return any(len(_pieces(tokenizer, other + lowered)) == 1 for other in ("a1" if alphanumeric else "!"))

    blanks, alphanumerics = _matches(characters, r"\s"), _matches(characters, r"[\p{L}\p{N}]")
    return [agrees(*one) for one in zip(characters, blanks, alphanumerics, strict=True)]


def _pieces(tokenizer: FastTokenizer, text: str) -> list[str]:
    return [piece for piece, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]


def _matches(characters: Iterable[str], pattern: str) -> list[bool]:
    return pl.Series(characters, dtype=pl.String).str.contains(pattern).to_list()
