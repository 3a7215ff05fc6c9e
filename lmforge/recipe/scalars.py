"""Plain scalars by the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/, section 10.3.2).

`no`, `on`, `1_000` and `2024-01-01` are text; `1e-3` is a number; `017` is seventeen.
"""

from __future__ import annotations

import math
import re

MAX_NUMBER_CHARACTERS = 300

_CONSTANTS: dict[str, bool | float | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)


def resolve_scalar(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar.

    A number of more than 300 characters is infinite, so that no range admits it and no conversion takes long.
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    integer = _INTEGER.fullmatch(text)
    if not integer and not _FLOAT.fullmatch(text):
        return text
    if len(text) > MAX_NUMBER_CHARACTERS:
        return math.inf
    if not integer:
        return float(text)
    return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
