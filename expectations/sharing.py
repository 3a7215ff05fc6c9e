"""Rules and bounds that the suites over texts share."""

from __future__ import annotations

from typing import Any

from expectations.suite import RowRule, bounded


def repetitive(key: str, unit: str, maximum: float) -> dict[str, Any]:
    """Return the bound on the fact `repetitive_share`, which a profile of the table gives."""
    words = f"share of {unit} of which three tenths are one word"
    return bounded("repetitive_share", words, minimum=0, maximum=maximum, key=key + "max_repetitive_share")


def wrongly_decoded(key: str, unit: str, maximum: float) -> RowRule:
    """Return the rule about mojibake; the suite must derive `mojibake`."""
    return RowRule("mojibake", "mojibake", maximum, f"{unit} decoded wrongly", key=key + "max_mojibake_share")


def personal_residue(key: str, unit: str, maximum: float) -> RowRule:
    """Return the rule about personal data that masking left; the suite must derive `personal_data`."""
    words = f"{unit} with personal data left"
    return RowRule("personal_data", "personal_data", maximum, words, key=key + "max_personal_data_share", private=True)


def repeated_id(words: str = "documents with the id of an earlier one") -> RowRule:
    """Return the rule that each id occurs once; the suite must derive `id_key`, a hash of the id."""
    return RowRule(
        "repeated_id",
        "ROW_NUMBER() OVER (PARTITION BY id_key) > 1 OR id IS NULL OR id = ''",
        0.0,
        words,
        share="CAST(COUNT(*) - COUNT(DISTINCT CASE WHEN id <> '' THEN id_key END) AS DOUBLE) / COUNT(*)",
    )
