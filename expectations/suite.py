"""The shape of a suite: promises about a table, written as SQL over its rows and bounds on a one-row summary.

A suite never sees the corpus: the summary is one aggregate a column, and Great Expectations judges that row. What
cannot be decided (a null, a NaN, a missing column, an empty table) counts as broken. A broken promise stops the run
unless the recipe names its threshold in `warn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import polars as pl

Family = Literal["text", "number", "any"]


@dataclass(frozen=True)
class RowRule:
    """A property that at most `max_share` of the rows may have; the rows that have it are shown on failure.

    where: polars SQL boolean that is true for an offending row; null counts as offending.
    words: what the offending rows are, to be read after "share of".
    among: polars SQL boolean; the share is taken of these rows.
    share: SQL aggregate with the same value as the mean of `where`, for rules whose window would cost memory.
    show: columns whose values explain the offence.
    key: recipe key of the threshold; empty when the rule is not the user's to relax.
    private: the text of an offending row is shown nowhere.
    """

    name: str
    where: str
    max_share: float
    words: str
    among: str = "TRUE"
    share: str = ""
    show: tuple[str, ...] = ()
    key: str = ""
    private: bool = False

    @property
    def column(self) -> str:
        return f"{self.name}_share"


@dataclass(frozen=True)
class Suite:
    """The promises that a table keeps to its next reader.

    columns: column -> kind of value; empty for a suite that judges facts alone.
    derived: column -> polars expression, such as a 64-bit hash, so that counting texts holds 8 bytes each.
    summary: summary column -> polars SQL aggregate over the rows; `num_rows` is always there. Aggregate derived numbers
        rather than the text itself: aggregates queue what they read.
    ratios: summary column -> polars SQL over the summary row and the caller's facts.
    expectations: Great Expectations configurations about summary columns, made by `bounded`.
    place: SQL that says where a row comes from.
    warn: last parts of the recipe keys whose checks only warn; a check without a key always stops.
    """

    name: str
    promise: str
    columns: Mapping[str, Family] = field(default_factory=dict)
    rules: tuple[RowRule, ...] = ()
    derived: Mapping[str, pl.Expr] = field(default_factory=dict)
    summary: Mapping[str, str] = field(default_factory=dict)
    ratios: Mapping[str, str] = field(default_factory=dict)
    expectations: tuple[dict[str, Any], ...] = ()
    place: str = "CONCAT_WS(':', source, line)"
    warn: tuple[str, ...] = ()

    @property
    def checks(self) -> tuple[dict[str, Any], ...]:
        """All expectations: a fitting non-empty table first, then the bounds, then one a rule."""
        if not self.expectations and not self.rules:
            return ()
        fit = (
            bounded("num_unfit_columns", "columns that are missing or of another type", maximum=0),
            bounded("num_rows", "number of rows", minimum=1),
        )
        rules = tuple(
            bounded(rule.column, f"share of {rule.words}", maximum=rule.max_share, key=rule.key) for rule in self.rules
        )
        every = (fit if self.columns else ()) + self.expectations + rules
        return tuple(check | {"severity": self._severity(check["meta"]["key"])} for check in every)

    def _severity(self, key: str) -> str:
        # The two words are those of Great Expectations.
        return "warning" if key and key.rpartition(".")[2] in self.warn else "critical"


def bounded(
    column: str,
    words: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    key: str = "",
    compares: bool = False,
) -> dict[str, Any]:
    """Return the Great Expectations configuration of inclusive bounds on one summary column.

    compares: the value exists only beside an earlier snapshot; on a first run it is reported as not compared.
    Not ExpectColumnValuesToBeBetween: that one ignores nulls, so a summary that could not be computed would pass.
    """
    kind = "expect_column_min_to_be_between" if maximum is None else "expect_column_max_to_be_between"
    limits = {"min_value": minimum, "max_value": maximum}
    kwargs = {"column": column} | {name: value for name, value in limits.items() if value is not None}
    return {"type": kind, "kwargs": kwargs, "meta": {"words": words, "key": key, "compares": compares}}
