"""The verdict on one expectation, in words that stand alike in the page, the log and the error."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from lmforge.reporting.pages import format_number

Value = int | float | None


class Outcome(BaseModel):
    """One expectation: what was expected in words, what was observed, and the recipe key that sets the limit.

    verdict: `warns` is a broken promise that does not stop the run; `not compared` one about a change, without an
    earlier snapshot.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    column: str
    expectation: str
    words: str
    observed: Value
    limit: str
    verdict: Literal["holds", "not compared", "warns", "broken"]
    severity: Literal["critical", "warning"]
    key: str
    detail: str


def outcome_of(check: Mapping[str, Any], observed: Value, success: bool, detail: str = "") -> Outcome:
    """Return the outcome of a check; what could not be observed is broken, whatever `success` says."""
    holds = observed is not None and success
    failed: Literal["warns", "broken"] = "warns" if check["severity"] == "warning" else "broken"
    unknown = "" if observed is not None else "could not be computed"
    verdict: Literal["holds", "warns", "broken"] = "holds" if holds else failed
    return Outcome(observed=observed, verdict=verdict, detail=detail or unknown, **_words(check))


def not_compared(check: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a check about a change where there is nothing to compare with."""
    return Outcome(observed=None, verdict="not compared", detail="no earlier snapshot", **_words(check))


def in_words(outcome: Outcome) -> str:
    """What was observed and expected, on one line."""
    observed = "unknown" if outcome.observed is None else format_number(outcome.observed)
    detail = f" ({outcome.detail})" if outcome.detail else ""
    return f"{outcome.words}: got {observed}{detail}, expected {outcome.limit}"


def _words(check: Mapping[str, Any]) -> dict[str, Any]:
    kwargs, meta = check["kwargs"], check["meta"]
    return {
        "column": kwargs["column"],
        "expectation": check["type"],
        "words": meta["words"],
        "limit": _limit(kwargs.get("min_value"), kwargs.get("max_value")),
        "severity": check["severity"],
        "key": meta["key"],
    }


def _limit(minimum: float | None, maximum: float | None) -> str:
    if minimum is not None and maximum is not None:
        return f"between {format_number(minimum)} and {format_number(maximum)}"
    return f"at least {format_number(minimum)}" if maximum is None else f"at most {format_number(maximum)}"
