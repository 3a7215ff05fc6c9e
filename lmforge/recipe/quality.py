"""Quality filters of a recipe and their thresholds, each with the paper or code it comes from."""

from __future__ import annotations

from typing import Literal

from lmforge.recipe.base import Part

FilterSet = Literal["c4", "gopher", "gopher_repetition", "fineweb"]


class Quality(Part):
    """Sets of published filters, in the order in which they are asked; empty asks none."""

    filters: tuple[FilterSet, ...] = ()
