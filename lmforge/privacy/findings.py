"""What the finders of personal data return, and what stands in a text in its place.

A finding holds a place and a kind, never the value: whatever is logged, counted or raised can then not leak it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

# In the order that decides between two findings of the same length: the ones with a checksum, then the looser ones.
PLACEHOLDERS = {
    "email": "<EMAIL>",
    "iban": "<IBAN>",
    "credit_card": "<CREDIT_CARD>",
    "national_id": "<NATIONAL_ID>",
    "ip_address": "<IP_ADDRESS>",
    "phone": "<PHONE>",
}
_RANK = {kind: rank for rank, kind in enumerate(PLACEHOLDERS)}

# A number inside a word, a path, an address or a longer number is part of a name or of a measure.
LEFT_EDGE = r"(?<![\w./@-])"
RIGHT_EDGE = r"(?![\w/@-])(?!\.[0-9])"


class Finding(NamedTuple):
    """Characters `start` to `end` (exclusive) of a text are personal data of a kind."""

    start: int
    end: int
    kind: str


def without_overlaps(findings: Sequence[Finding]) -> list[Finding]:
    """Those to replace, in order of the text: where two overlap the longer one stays, then the more specific kind."""
    taken = bytearray(max((finding.end for finding in findings), default=0))
    kept = []
    for finding in sorted(findings, key=lambda one: (one.start - one.end, _RANK[one.kind], one.start)):
        if 1 not in taken[finding.start : finding.end]:
            taken[finding.start : finding.end] = b"\x01" * (finding.end - finding.start)
            kept.append(finding)
    return sorted(kept)
