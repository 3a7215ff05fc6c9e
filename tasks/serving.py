"""Find a model by the name that a person would give it, and load it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lmforge.home import Home
from tasks import registry

if TYPE_CHECKING:
    from lmforge.serving.classifier import Classifier

SCHEME = "models:/"


def load_classifier(home: Home, model: str) -> tuple[str, Classifier]:
    """The URI that `model` stands for and its classifier; a bare NAME means its champion. Raises InputError."""
    from lmforge.serving.classifier import Classifier

    if Path(model).is_dir():
        return model, Classifier(Path(model))
    uri = model if model.startswith(SCHEME) else f"{SCHEME}{model}"
    name = uri.removeprefix(SCHEME)
    if "@" not in name and "/" not in name:
        uri += f"@{registry.CHAMPION}"
    return uri, Classifier(registry.model_directory(home, uri))
