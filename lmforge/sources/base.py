"""What every kind of source has in common: which files it is, and what is known about all of its text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from lmforge.paths import expand
from lmforge.recipe.base import Part

if TYPE_CHECKING:
    from lmforge.text.records import Record, Rejected

ShortText = Annotated[str, Field(max_length=200)]


def source_name(path: Path, root: Path) -> str:
    """A path as records and reports write it: relative to the project, absolute in another data root."""
    base = root.resolve()
    return (path.relative_to(base) if path.is_relative_to(base) else path).as_posix()


class SourceBase(Part):
    """Files of one kind, and the provenance that each of their records carries.

    A kind is a subclass with `kind: Literal["name"]` that is listed in `lmforge.sources.registry`. Recipes import it,
    so what takes long to import is imported inside methods.
    """

    path: str = Field(description="file or glob, relative to the project")
    license: ShortText | None = Field(default=None, description="licence of the text, for example CC-BY-SA-4.0")
    language: ShortText | None = Field(default=None, description="ISO 639-1 code, where all text is in one language")
    origin: ShortText | None = Field(default=None, description="where the text comes from: an address, a name, a date")

    def prepare(self, root: Path) -> None:
        """Fetch what is not on this machine yet; a run calls it before keys are computed. Most kinds fetch nothing.

        Raises InputError where it cannot be had and no earlier copy is there.
        """

    def files(self, root: Path) -> list[Path]:
        """The files that the source is made of, sorted; each is read alone, and again only when its content changed.

        Raises InputError where there is none, or where one lies outside of the project.
        """
        return expand(root, self.path)

    def companions(self, path: Path) -> list[Path]:
        """Other files that decide what `read(path)` yields: they belong into the key of what was read."""
        return []

    def name_of(self, path: Path, root: Path) -> str:
        """How records name a file."""
        return source_name(path, root)

    def read(self, path: Path, source: str) -> Iterator[Record | Rejected]:
        """The records of one file in order; `source` is the file's name in records. Memory stays bounded.

        A broken record is yielded as Rejected; a file that is broken as a whole raises InputError.
        """
        raise NotImplementedError
