"""Every kind of source that a recipe may name, found by its `kind`."""

from __future__ import annotations

from typing import get_args

from lmforge.sources.base import SourceBase
from lmforge.sources.dataset import DatasetSource
from lmforge.sources.debian import DebianIndexSource
from lmforge.sources.files import FilesSource
from lmforge.sources.remote import HubSource, UrlSource
from lmforge.sources.warc import WarcSource
from lmforge.sources.wikipedia import WikipediaSource

SOURCES: tuple[type[SourceBase], ...] = (
    FilesSource,
    DatasetSource,
    WarcSource,
    WikipediaSource,
    DebianIndexSource,
    UrlSource,
    HubSource,
)


def kind_of(source: type[SourceBase]) -> str:
    """The name of a kind, as `kind: Literal["..."]` of its class says."""
    return str(get_args(source.model_fields["kind"].annotation)[0])
