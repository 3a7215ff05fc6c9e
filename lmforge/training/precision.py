"""Which numbers a run computes with, and whether this machine can."""

from __future__ import annotations

import torch

from lmforge.errors import InputError
from lmforge.recipe.optimization import Optimization

_DEFAULT = "32-true"


def precision_of(settings: Optimization, *, has_gpu: bool | None = None) -> str:
    """Lightning's name of the precision that the settings ask for; `auto` is 32 bits where nothing was measured.

    Raises InputError for 16-mixed without a GPU: its range needs a loss scaler, which works on GPUs only.
    """
    has_gpu = torch.cuda.is_available() if has_gpu is None else has_gpu
    if settings.precision == "16-mixed" and not has_gpu:
        raise InputError("precision 16-mixed needs a GPU and there is none here; set precision: bf16-mixed or 32-true")
    return _DEFAULT if settings.precision == "auto" else settings.precision
