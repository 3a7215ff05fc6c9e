"""The same text about another person: identity terms swapped word by word.

Grammar is not mended, and what depends on the rest of a text (`her` for `him`, names, history) stays wrong. Both
models read the same swapped text, so their difference is fair even where the text is not.
"""

from __future__ import annotations

import re
from functools import cache

from lmforge.release.noise import seeded

_WORD = re.compile(r"\w+")
Groups = tuple[tuple[str, ...], ...]


def swap_terms(text: str, groups: Groups, *, seed: int, example_id: str) -> str:
    """Replace each term by another one of its group (Garg et al. 2019, Counterfactual Fairness in Text Classification
    through Robustness, arXiv:1809.10610); a text without a term stays as it is.

    groups: words in lower case, each in one group only. `term`, `Term` and `TERM` keep their case; mixed case is no
    term. In a group of more than two the example decides which word follows, the same for the whole text, so that
    different words stay different. With groups of two, swapping twice gives the text back.
    """
    steps = seeded(seed, example_id, "identity").random(len(groups))
    forms: dict[str, str] = {}
    for group, step in zip(groups, steps, strict=True):
        shift = 1 + int(step * (len(group) - 1))
        for at, term in enumerate(group):
            other = group[(at + shift) % len(group)]
            forms |= {term: other, term.capitalize(): other.capitalize(), term.upper(): other.upper()}
    return _WORD.sub(lambda found: forms.get(found.group(), found.group()), text)


def holds_term(text: str, groups: Groups) -> bool:
    """Whether a text holds a term of any group, in one of the cases that `swap_terms` knows."""
    known = _forms(groups)
    return any(found.group() in known for found in _WORD.finditer(text))


@cache
def _forms(groups: Groups) -> frozenset[str]:
    return frozenset(form for group in groups for term in group for form in (term, term.capitalize(), term.upper()))
