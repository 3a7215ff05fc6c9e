"""What the evidence on every kind of model holds alike: which files were judged, how large, by which libraries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version as library_version
from pathlib import Path
from typing import TYPE_CHECKING

from lmforge import __version__
from lmforge.home import Home
from tasks import registry
from tasks.promotion import files_hash

if TYPE_CHECKING:
    import polars as pl

    from lmforge.release.evidence import Subject

NUM_TIMED_TEXTS = 100
_LIBRARIES = ("numpy", "polars", "scipy", "torch", "transformers")


def version_directory(home: Home, name: str, version: str) -> Path:
    """The transformers directory of a registered version."""
    return registry.model_directory(home, f"{registry.SCHEME}{name}/{version}")


def subject_of(home: Home, name: str, version: str) -> Subject:
    """A version as a gate sees it: what its files are, and their size."""
    from lmforge.release.evidence import Subject

    files = [path for path in version_directory(home, name, version).rglob("*") if path.is_file()]
    size_bytes = sum(path.stat().st_size for path in files)
    return Subject(version=version, fingerprint=files_hash(home, name, version), size_bytes=size_bytes)


def time_both(
    challenger: Callable[[str], object], champion: Callable[[str], object], texts: Sequence[str]
) -> pl.DataFrame:
    """100 pairs of calls; fewer texts are gone through more than once, because the ratio needs its number of pairs."""
    from lmforge.release.latency import time_interleaved

    timed = (list(texts) * -(-NUM_TIMED_TEXTS // len(texts)))[:NUM_TIMED_TEXTS]
    return time_interleaved(challenger, champion, timed)


def computed_by() -> dict[str, str]:
    """The versions of what computed the evidence, by name."""
    return {"lmforge": __version__} | {name: library_version(name) for name in _LIBRARIES}
