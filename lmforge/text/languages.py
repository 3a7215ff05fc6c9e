"""Language identification with the model that py3langid carries; ISO 639 codes, `und` for undetermined.

Only the start of a text is read: it decides nearly all texts (see `LEADING_CHARS`), at a fraction of the time.
`identify` says what is right for one text; `identify_languages` gives the same answers for a column.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import polars as pl
from py3langid.langid import MODEL_FILE, LanguageIdentifier
from scipy import sparse

from lmforge.errors import InputError
from lmforge.wording import listed

UNDETERMINED = "und"
# Of 3,417 English package descriptions 16 stay below probability 0.5 at 200 characters, 13 at 300 or at full length.
LEADING_CHARS = 200
# Shorter texts are a guess: product names and greetings come out as any language.
_MIN_CHARS = 20

# The fastest of 512 to 40,000: the state of so many texts stays in the cache.
_BATCH_TEXTS = 2048
# Sums in another order move a probability by 10^-4 at most; what is nearer to another answer is asked one by one.
_TOLERANCE = 0.005


def identify(text: str, min_probability: float) -> str:
    """The most probable language, or `und` below `min_probability` or 20 characters."""
    if len(text) < _MIN_CHARS:
        return UNDETERMINED
    language, probability = _identifier().classify(text[:LEADING_CHARS])
    return str(language) if probability >= min_probability else UNDETERMINED


def identify_languages(texts: pl.Series, min_probability: float) -> pl.Series:
    """`identify` of each text of a column (String, same height); a null stays null."""
    starts = pl.DataFrame({"start": texts.str.head(LEADING_CHARS)})
    distinct = starts["start"].drop_nulls().unique(maintain_order=True)
    languages = pl.repeat(UNDETERMINED, len(distinct), dtype=pl.String, eager=True)
    long = (distinct.str.len_chars() >= _MIN_CHARS).arg_true()
    answers = list(_answers(distinct.gather(long), min_probability))
    languages = languages.scatter(long, pl.Series(answers, dtype=pl.String))
    table = pl.DataFrame({"start": distinct, "language": languages})
    return starts.join(table, on="start", how="left", maintain_order="left")["language"].alias(texts.name)


def check_languages(languages: Sequence[str]) -> None:
    """Raise InputError for a code that the model does not know, with the nearest ones."""
    known = _identifier().labels
    unknown = [language for language in languages if language not in known]
    if unknown:
        raise InputError(
            f"cleaning.languages: unknown {listed(unknown)}; write codes of {listed(sorted(known), len(known))}"
        )


@cache
def _identifier() -> LanguageIdentifier:
    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)


@dataclass(frozen=True)
class _Model:
    """The automaton and the weights of the identifier as arrays.

    next_states: [rows * 256]; rows: [states], where the row of a state begins; features: [states], -1 for none;
    weights: [features, labels]; prior: [labels].
    """

    next_states: np.ndarray[Any, Any]
    rows: np.ndarray[Any, Any]
    features: np.ndarray[Any, Any]
    weights: np.ndarray[Any, Any]
    prior: np.ndarray[Any, Any]
    labels: list[str]
    # Pairs of columns that stand for one label; the first gets the probability of both.
    aliases: list[tuple[int, int]]


@cache
def _model() -> _Model:
    found = _identifier()
    labels = list(found.nb_classes)
    return _Model(
        next_states=np.asarray(found.tk_nextmove),
        rows=np.asarray(found.tk_row, dtype=np.int32) << 8,
        features=np.asarray(found.tk_output, dtype=np.int32),
        weights=np.ascontiguousarray(found.nb_ptc, dtype=np.float32),
        prior=np.asarray(found.nb_pc, dtype=np.float32),
        labels=labels,
        aliases=[(labels.index(label), column) for column, label in enumerate(labels) if labels.index(label) < column],
    )


def _answers(starts: pl.Series, min_probability: float) -> Iterator[str]:
    for batch in starts.to_frame().iter_slices(_BATCH_TEXTS):
        probabilities = _probabilities(_encoded(batch.to_series()))
        best_two = np.partition(probabilities, -2, axis=1)[:, -2:]
        second, first = best_two[:, 0], best_two[:, 1]
        close = (first - second < _TOLERANCE) | (np.abs(first - min_probability) < _TOLERANCE)
        for start, column, probability, unsure in zip(
            batch.to_series(), probabilities.argmax(axis=1).tolist(), first.tolist(), close.tolist(), strict=True
        ):
            if unsure:
                yield identify(start, min_probability)
            else:
                yield _model().labels[column] if probability >= min_probability else UNDETERMINED


def _encoded(starts: pl.Series) -> list[bytes]:
    """The bytes that the identifier reads: capitals alone in lower case, NFC, UTF-8."""
    capitals = (~starts.str.contains("[a-z]")).arg_true()
    lower = starts.clone().scatter(capitals, starts.gather(capitals).str.to_lowercase())
    wide = (starts.str.len_bytes() != starts.str.len_chars()).arg_true()
    fixed = [unicodedata.normalize("NFC", start.lower() if start.isupper() else start) for start in starts.gather(wide)]
    encoded: list[bytes] = lower.scatter(wide, pl.Series(fixed, dtype=pl.String)).cast(pl.Binary).to_list()
    return encoded


def _probabilities(texts: Sequence[bytes]) -> np.ndarray[Any, Any]:
    """[texts, labels] float32: multinomial naive Bayes on log(1 + count), flattened by the root of the length."""
    model = _model()
    counts = _feature_counts(texts)
    scores: np.ndarray[Any, Any] = np.asarray(counts @ model.weights) + model.prior
    # Without a feature every label is as likely as any other, and `identify` is asked.
    scores[counts.getnnz(axis=1) == 0] = 0.0
    scores /= np.sqrt(np.fromiter(map(len, texts), np.float32, len(texts)))[:, None]
    np.exp(scores - scores.max(axis=1, keepdims=True), out=scores)
    scores /= scores.sum(axis=1, keepdims=True)
    for first, other in model.aliases:
        scores[:, first] += scores[:, other]
        scores[:, other] = 0.0
    return scores


def _feature_counts(texts: Sequence[bytes]) -> sparse.csr_matrix:
    """[texts, features] float32: log(1 + how often the automaton passed a state with that feature)."""
    num_features = len(_model().weights)
    distinct, counts = np.unique(np.concatenate(list(_visits(texts))), return_counts=True)
    ends = np.searchsorted(distinct, np.arange(len(texts) + 1) * num_features).astype(np.int32)
    # 32 bits, like `ends`: scipy multiplies such matrices faster.
    columns = (distinct % num_features).astype(np.int32)
    values = np.log1p(counts.astype(np.float32))
    return sparse.csr_matrix((values, columns, ends), shape=(len(texts), num_features))


def _visits(texts: Sequence[bytes]) -> Iterator[np.ndarray[Any, Any]]:
    """The features met, as text * number of features + feature: the automaton takes one byte of every text a step."""
    model = _model()
    num_features = len(model.weights)
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    content = np.frombuffer(b"".join(texts), np.uint8)
    # Longest first, so that the texts that are not at their end stay together at the front.
    order = np.argsort(-lengths, kind="stable")
    begins = (np.cumsum(lengths) - lengths)[order]
    states = np.zeros(len(texts), np.int32)
    offsets = order * num_features
    num_active = np.searchsorted(-lengths[order], -np.arange(lengths.max(initial=0)), side="left")
    for step, active in enumerate(num_active.tolist()):
        reached = model.next_states[model.rows[states[:active]] + content[begins[:active] + step]]
        states[:active] = reached
        features = model.features[reached]
        hits = np.flatnonzero(features >= 0)
        yield offsets[hits] + features[hits]
