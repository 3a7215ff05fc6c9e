"""Text of 80 columns from parts of the terminal library, for pages that are printed and for their tests alike.

The parts hold escaped text only; nothing in them is read as markup of the terminal library.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import StringIO

from rich.console import Console, RenderableType

WIDTH = 80


def as_columns(parts: Iterable[RenderableType]) -> str:
    """The parts below one another as lines of at most 80 columns, wide characters counted as two."""
    file = StringIO()
    console = Console(width=WIDTH, file=file, force_terminal=False, color_system=None, legacy_windows=False)
    for part in parts:
        console.print(part, highlight=False, markup=False, soft_wrap=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())
