"""The first of several conditions that hold, as a reason code."""

from __future__ import annotations

import polars as pl


def first_reason(rules: dict[str, pl.Expr]) -> pl.Expr:
    """The name of the first condition that holds, null where none does; a condition that is null does not hold."""
    named = [pl.when(broken).then(pl.lit(name)) for name, broken in rules.items()]
    return pl.coalesce(named).cast(pl.String)
