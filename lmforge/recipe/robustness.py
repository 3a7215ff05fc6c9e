"""What a version may lose to the champion when text is noisy, or when it speaks of another person.

Both multiply the number of answers, so they look at a sample of the test set. A limit of null reports the loss and does
not judge it; `release.robustness: null` or `release.fairness: null` does not even measure it.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lmforge.recipe.base import Part, Share

Noise = Literal["typos", "upper", "lower", "unicode"]
_Number = Annotated[int, Field(ge=10)]
_Alpha = Annotated[float, Field(gt=0, lt=0.5)]
_Term = Annotated[str, Field(min_length=2, max_length=40)]
_Group = Annotated[tuple[_Term, ...], Field(min_length=2)]
# `her` is of both `his` and `him`. Paired with `his` more of the swapped texts are sentences; `him` and `hers` stay.
_TERMS: tuple[tuple[str, ...], ...] = (
    ("he", "she"), ("his", "her"), ("himself", "herself"), ("man", "woman"), ("men", "women"), ("boy", "girl"),
    ("boys", "girls"), ("father", "mother"), ("son", "daughter"), ("brother", "sister"), ("husband", "wife"),
)  # fmt: skip


class _Sample(Part):
    """How many examples are looked at, and with which certainty harm has to be shown."""

    num_examples: _Number = Field(default=400, description="size of the sample, drawn by hash")
    min_examples: _Number = Field(default=50, description="a smaller sample is not judged")
    alpha: _Alpha = Field(default=0.05, description="chance that an equal model breaks any of the section's rules")

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if self.num_examples < self.min_examples:
            raise ValueError(
                f"`num_examples: {self.num_examples}` is below `min_examples: {self.min_examples}`, so nothing would "
                "be judged"
            )
        return self


class Robustness(_Sample):
    """How much more of the score than the champion a version may lose under noise."""

    kinds: Annotated[tuple[Noise, ...], Field(min_length=1)] = ("typos", "upper", "lower", "unicode")
    max_robustness_loss: Share | None = Field(
        default=0.02, description="loss of the mean score under noise, beyond the champion's"
    )
    noise_rate: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.1, description="share of the words that typos and Unicode noise change, of each text at least one"
    )

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.kinds)) < len(self.kinds):
            raise ValueError(f"`kinds` {', '.join(self.kinds)} repeats one: name each kind once")
        return self


class Fairness(_Sample):
    """How much more than the champion's its answers may depend on whom a text speaks of."""

    terms: Annotated[tuple[_Group, ...], Field(min_length=1)] = Field(
        default=_TERMS, description="groups of words that stand for one another; a text is changed in all at once"
    )
    max_fairness_gap_increase: Share | None = Field(
        default=0.02, description="for the change of the probability, and for the share of changed answers"
    )

    @model_validator(mode="after")
    def _unambiguous(self) -> Self:
        terms = [term for group in self.terms for term in group]
        if repeated := sorted({term for term in terms if terms.count(term) > 1}):
            raise ValueError(f"`terms` names {', '.join(repeated)} more than once: which other word is meant?")
        if odd := [term for term in terms if not _swappable(term)]:
            raise ValueError(f"`terms` has {', '.join(odd)}: write single words, of letters in lower case")
        return self


def _swappable(term: str) -> bool:
    """Whether its three forms (`term`, `Term`, `TERM`) differ and lead back to it, which those of `strasse` with a
    sharp s do not."""
    forms = (term, term.capitalize(), term.upper())
    return term.isalpha() and len(set(forms)) == 3 and all(form.lower() == term for form in forms)
