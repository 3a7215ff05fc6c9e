"""The one file that names the text, the labels and the model."""

from lmforge.recipe.loading import load_recipe
from lmforge.recipe.schema import Recipe

__all__ = ["Recipe", "load_recipe"]
