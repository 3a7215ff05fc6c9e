"""How messages quote what the user wrote and name what was probably meant.

Everything that comes from a recipe, an argument or a directory listing passes through `shown` before it is printed:
terminal escapes, bidirectional overrides and megabytes never reach the screen.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

SHOWN_CHARACTERS = 80


def shown(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    r"""`text` with everything unprintable as \x, \u or \U escapes, cut at `limit` characters."""
    cut = text[:limit] + "..." if len(text) > limit else text
    if cut.isprintable():
        return cut
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in cut)


def cell(text: str) -> str:
    """`text` for a cell of a CSV file: with `'` before what a spreadsheet would run as a formula.

    By the rule of OWASP, "CSV Injection": `=`, `+`, `-`, `@`, a tab or a carriage return comes first.
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` most resembles, if any does; the case of letters does not count."""
    # Ratcliff-Obershelp is quadratic; nobody mistypes a name of hundreds of characters.
    if len(name) > SHOWN_CHARACTERS:
        return None
    by_folded = {item.casefold(): item for item in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1)
    return by_folded[found[0]] if found else None


def listed(names: Iterable[str], limit: int = 12) -> str:
    """`a, b, c`, at most `limit` of them and how many more there are."""
    every = list(names)
    more = f" and {len(every) - limit} more" if len(every) > limit else ""
    return ", ".join(shown(name) for name in every[:limit]) + more
