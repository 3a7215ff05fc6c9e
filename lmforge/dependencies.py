"""What decides the result of a data stage beside its settings and inputs: modules of ours, and libraries.

A stage and its units name the same, so that neither is reused when the other would not be.
"""

from __future__ import annotations

COLLECTING = ("lmforge.sources", "lmforge.text.records", "lmforge.text.tables", "lmforge.text.markup")
COLLECTING_LIBRARIES = ("pyarrow", "orjson", "charset-normalizer", "fastwarc", "resiliparse")
CLEANING = ("lmforge.text", "lmforge.deduplication", "lmforge.privacy")
CLEANING_LIBRARIES = (
    "polars",
    "pyarrow",
    "xxhash",
    "ftfy",
    "py3langid",
    "resiliparse",
    "rensa",
    "presidio-analyzer",
    "phonenumbers",
    "python-stdnum",
    "detect-secrets",
)
