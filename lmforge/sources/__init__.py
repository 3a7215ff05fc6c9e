"""Where raw text comes from: one class a kind of source, the containers it is packed in, and the collect stage."""

# Sources are parts of a recipe and a recipe is made of sources: whoever begins, the recipe is complete first.
import lmforge.recipe  # noqa: F401
