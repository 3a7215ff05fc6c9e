"""Local files as a source: every common text and table format, compressed or in archives."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from lmforge.recipe.base import Positive
from lmforge.sources.base import SourceBase
from lmforge.sources.fields import Columns

if TYPE_CHECKING:
    from lmforge.text.records import Record, Rejected


class FilesSource(SourceBase):
    """Local files: text, Markdown, HTML, JSON, CSV, Parquet and Arrow, each also compressed or in a zip or tar."""

    kind: Literal["files"] = "files"
    format: Literal["auto", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "text", "markdown", "html"] = Field(
        default="auto", description="auto: by the file name's ending; applies to each member of an archive"
    )
    documents: Literal["line", "paragraph", "file"] = Field(
        default="line", description="what is one document in plain text; Markdown and HTML files are one each"
    )
    members: str = Field(default="*", max_length=200, description="glob: which members of a zip or tar are read")
    text: str = Field(default="text", description="field that holds the text")
    id: str | None = Field(default=None, description="field that identifies a record; default: file and position")
    group: str | None = Field(default=None, description="field whose equal values never straddle two splits")
    encoding: str = Field(default="utf-8", description="of text formats, for example cp1252 or latin-1")
    nul_bytes: Literal["quarantine", "strip"] = Field(default="quarantine", description="what becomes of NUL bytes")
    max_line_bytes: Positive = Field(
        default=1 << 24, description="longer lines, and longer documents of several lines, are quarantined"
    )
    max_unpacked_bytes: Positive = Field(
        default=1 << 36, description="a compressed file or an archive that unpacks to more is refused"
    )

    def read(self, path: Path, source: str) -> Iterator[Record | Rejected]:
        """The records of one file; see `read_records`."""
        # Readers bring pyarrow, which a recipe must not wait for.
        from lmforge.sources.readers import read_records

        return read_records(
            path,
            Columns(text=self.text, id=self.id, group=self.group),
            source=source,
            declared=self.format,
            documents=self.documents,
            encoding=self.encoding,
            nul_bytes=self.nul_bytes,
            members=self.members,
            max_line_bytes=self.max_line_bytes,
            max_unpacked_bytes=self.max_unpacked_bytes,
        )
