"""A Hugging Face dataset on disk as a source: the Arrow files that `save_to_disk` wrote, each read alone.

Nothing of the dataset is executed and the `datasets` library is not needed. Rows count from 1 in each Arrow file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from lmforge.errors import InputError
from lmforge.paths import expand, inside
from lmforge.sources.base import SourceBase
from lmforge.sources.fields import Columns
from lmforge.wording import listed, nearest, shown

if TYPE_CHECKING:
    from lmforge.text.records import Record, Rejected

_SPLITS, _STATE = "dataset_dict.json", "state.json"
_MAX_JSON_BYTES = 1 << 24


class DatasetSource(SourceBase):
    """A Hugging Face dataset on disk, as `save_to_disk` writes it; nothing is fetched."""

    kind: Literal["dataset"]
    path: str = Field(description="directory, relative to the project")
    split: str = Field(default="train", description="split to read, where the directory holds several")
    text: str = Field(default="text", description="column that holds the text")
    id: str | None = Field(default=None, description="column that identifies a record; default: file and position")
    group: str | None = Field(default=None, description="column whose equal values never straddle two splits")

    def files(self, root: Path) -> list[Path]:
        """The Arrow files of the split, in the order of its rows.

        Raises InputError for a directory that is no such dataset and for an unknown split, with the nearest name.
        """
        return arrow_files(root, self.path, self.split)

    def read(self, path: Path, source: str) -> Iterator[Record | Rejected]:
        """The rows of one Arrow file; see `read_records`."""
        from lmforge.sources.readers import read_records

        return read_records(
            path, Columns(text=self.text, id=self.id, group=self.group), source=source, declared="arrow"
        )


def arrow_files(root: Path, directory: str, split: str) -> list[Path]:
    """The Arrow files that hold a split of a saved dataset below `root`, in order; InputError if there are none."""
    place = inside(root, directory)
    if (place / _SPLITS).is_file():
        splits = _json(place / _SPLITS, directory).get("splits")
        known = [name for name in splits if isinstance(name, str)] if isinstance(splits, list) else []
        if split not in known:
            near = nearest(split, known)
            hint = f"; did you mean {shown(near)}?" if near else ""
            raise InputError(f"{shown(directory)}: no split {shown(split)}; it has {listed(known) or 'none'}{hint}")
        directory = f"{directory.rstrip('/')}/{split}"
        place = inside(root, directory)
    if not (place / _STATE).is_file():
        raise InputError(
            f"{shown(directory)}: not a dataset directory, as there is no {_STATE} in it; "
            "write it with Dataset.save_to_disk"
        )
    parts = _json(place / _STATE, directory).get("_data_files")
    names = [part.get("filename") for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    # The file comes from elsewhere, so its names must not lead elsewhere.
    if not names or any(not isinstance(name, str) or Path(name).name != name or name == ".." for name in names):
        raise InputError(f"{shown(directory)}: {_STATE} names no files beside it; write it with Dataset.save_to_disk")
    return [path for name in names for path in expand(root, _literal(f"{directory.rstrip('/')}/{name}"))]


def _literal(path: str) -> str:
    """A name with wildcards in it would be expanded, so it is refused."""
    if any(char in path for char in "*?["):
        raise InputError(f"path '{shown(path)}' holds a wildcard; rename the directory")
    return path


def _json(path: Path, directory: str) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = json.loads(file.read(_MAX_JSON_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{shown(directory)}: {path.name} cannot be read ({shown(str(error))}); write it with Dataset.save_to_disk"
        ) from error
    return content if isinstance(content, dict) else {}
