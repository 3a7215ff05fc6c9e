"""How rules write a value of a metric: bits per byte as people know them, positive and less being better."""

from __future__ import annotations

# Held as minus the value, because everywhere in the gate more is better.
LESS_IS_BETTER = ("bits_per_byte", "nats_per_token")


def in_metric(metric: str, value: float) -> str:
    """`0.8123 macro_f1`, or `1.2034 bits_per_byte` for a value of -1.2034."""
    return f"{-value if metric in LESS_IS_BETTER else value:.4f} {metric}"
