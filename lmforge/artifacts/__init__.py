"""What stages exchange: directories that are complete and verified, or absent."""

from lmforge.artifacts.artifact import Artifact, Counts, Manifest
from lmforge.artifacts.store import Store

__all__ = ["Artifact", "Counts", "Manifest", "Store"]
