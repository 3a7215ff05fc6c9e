"""Language identification with the model that py3langid carries; ISO 639 codes, `und` for undetermined.

Only the start of a text is read: it decides nearly all texts (see `LEADING_CHARS`), at a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from lmforge.errors import InputError
from lmforge.wording import listed

UNDETERMINED = "und"
# Of 3,417 English package descriptions 16 stay below probability 0.5 at 200 characters, 13 at 300 or at full length.
LEADING_CHARS = 200
# Shorter texts are a guess: product names and greetings come out as any language.
_MIN_CHARS = 20


def identify(text: str, min_probability: float) -> str:
    """The most probable language, or `und` below `min_probability` or 20 characters."""
    if len(text) < _MIN_CHARS:
        return UNDETERMINED
    language, probability = _identifier().classify(text[:LEADING_CHARS])
    return str(language) if probability >= min_probability else UNDETERMINED


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
