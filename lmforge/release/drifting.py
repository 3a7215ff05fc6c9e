"""Where two trainings that should be equal came apart: from which logged step on, in which weights, by how much.

A last bit that differs from the first step on is another processor or library; one that differs later is a sum whose
order was not fixed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lmforge.artifacts.artifact import LOGS, Frozen

_METRICS, _WEIGHTS = f"{LOGS}metrics.jsonl", "model/model.safetensors"
# They differ between any two runs.
_MEASURED = ("train/tokens_per_second", "train/seconds")


class Drift(Frozen):
    """first_step: the first step with another logged value, None where all are equal or there are no logs.

    num_tensors, num_differing: of the weights; largest: the largest absolute difference of a weight.
    """

    first_step: int | None
    num_tensors: int
    num_differing: int
    largest: float

    @property
    def words(self) -> str:
        """One line."""
        since = "all logged values equal" if self.first_step is None else f"from step {self.first_step} on"
        return f"{self.num_differing} of {self.num_tensors} tensors differ, by {self.largest:.1e} at most; {since}"


def drift_between(then: Path, now: Path) -> Drift | None:
    """Compare the artifacts of a training stage; None where they are not two networks of one shape."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    files = [place / _WEIGHTS for place in (then, now)]
    if not all(file.is_file() for file in files):
        return None
    try:
        before, after = (load_file(file) for file in files)
    except SafetensorError:
        return None
    if {name: one.shape for name, one in before.items()} != {name: one.shape for name, one in after.items()}:
        return None
    gaps = {name: float(abs(before[name] - after[name]).max(initial=0.0)) for name in before}
    differing = [gap for gap in gaps.values() if gap]
    return Drift(
        first_step=_first_step(then / _METRICS, now / _METRICS),
        num_tensors=len(gaps),
        num_differing=len(differing),
        largest=max(differing, default=0.0),
    )


def _first_step(then: Path, now: Path) -> int | None:
    if not (then.is_file() and now.is_file()):
        return None
    for one, other in zip(_values(then), _values(now), strict=False):
        if one != other:
            return int(min(one["step"], other["step"]))
    return None


def _values(file: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name not in _MEASURED} for line in lines]
