"""Sources that are not on this machine: a file by its URL, and a dataset of the Hugging Face hub.

Both are fetched into `downloads/` of the home by `prepare` and read from there like local ones, so that what a run has
read does not depend on the network.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, StringConstraints, field_validator

from lmforge.errors import InputError, NotFetchedError
from lmforge.home import Home
from lmforge.recipe.base import Positive
from lmforge.sources.addresses import check_url, safe_url
from lmforge.sources.dataset import DatasetSource, arrow_files
from lmforge.sources.files import FilesSource
from lmforge.wording import shown

ONLINE = "LMFORGE_ONLINE"

_HUB_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"


class UrlSource(FilesSource):
    """A file at a URL (https, s3, gs, ...), read as `files` reads a local one, with the same options."""

    kind: Literal["url"]  # type: ignore[assignment]
    path: str = Field(validation_alias=AliasChoices("url", "path"), description="https://..., s3://..., gs://...")
    sha256: Annotated[str, StringConstraints(pattern="^[0-9a-fA-F]{64}$")] | None = Field(
        default=None, description="hash of the file; nothing else is accepted then"
    )
    allowed_hosts: tuple[str, ...] = Field(default=(), description="hosts that redirects may lead to")
    max_bytes: Positive = Field(default=1 << 33, description="a larger file is refused")
    timeout_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(default=3600, description="for the whole file")

    @field_validator("path")
    @classmethod
    def _is_url(cls, path: str) -> str:
        check_url(path)
        return path

    def prepare(self, root: Path) -> None:
        """Fetch the file, unless the copy that is there is unchanged; see `fetch`."""
        from lmforge.sources.downloading import fetch

        fetch(
            self.path,
            _downloads(root),
            sha256=self.sha256,
            max_bytes=self.max_bytes,
            timeout_seconds=self.timeout_seconds,
            allowed_hosts=self.allowed_hosts,
        )

    def files(self, root: Path) -> list[Path]:
        """The copy; InputError where it has not been fetched yet."""
        from lmforge.sources.downloading import place_of

        place = place_of(self.path, _downloads(root))
        if not place.is_file():
            raise NotFetchedError(f"{safe_url(self.path)}: not fetched yet; run `lmforge run` while online")
        return [place]

    def name_of(self, path: Path, root: Path) -> str:
        """The URL without its query, so that names in records do not depend on the machine."""
        return safe_url(self.path)


class HubSource(DatasetSource):
    """A dataset of the Hugging Face hub, fetched once a revision while `LMFORGE_ONLINE=1`; no code of it is run."""

    kind: Literal["hub"]  # type: ignore[assignment]
    path: Annotated[str, StringConstraints(pattern=f"^{_HUB_PART}(/{_HUB_PART})?$")] = Field(
        validation_alias=AliasChoices("name", "path"), description="organisation/dataset"
    )
    configuration: Annotated[str, StringConstraints(pattern=f"^{_HUB_PART}$")] | None = Field(
        default=None, description="which of the dataset's configurations, where it has several"
    )
    split: Annotated[str, StringConstraints(pattern=f"^{_HUB_PART}$")] = "train"
    revision: Annotated[str, StringConstraints(pattern=f"^{_HUB_PART}$")] = Field(
        default="main", description="a commit; a branch is fetched once and then stays as it was"
    )

    def prepare(self, root: Path) -> None:
        """Fetch the split, unless it is there; InputError while offline and where the hub refuses."""
        place = self._place(root)
        if place.is_dir():
            return
        if Path(self.path).exists():
            # The library would take the name for this directory and read it instead.
            raise InputError(f"{shown(self.path)}: a directory of this name is here; use the kind files or dataset")
        if os.environ.get(ONLINE) != "1":
            raise InputError(
                f"{shown(self.path)}: not fetched yet, and fetching from the hub is off; set {ONLINE}=1 for one run, "
                "or save the dataset into the project and use the kind dataset"
            )
        partial = place.with_name(f".{place.name}.{os.getpid()}.partial")
        try:
            self._load().save_to_disk(str(partial))
            place.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(place)
        finally:
            shutil.rmtree(partial, ignore_errors=True)

    def files(self, root: Path) -> list[Path]:
        """The Arrow files of the fetched split; InputError where it has not been fetched yet."""
        place = self._place(root)
        if not place.is_dir():
            raise NotFetchedError(f"{shown(self.path)}: not fetched yet; run `{ONLINE}=1 lmforge run` while online")
        return arrow_files(place.parent, place.name, self.split)

    def name_of(self, path: Path, root: Path) -> str:
        """Dataset, revision and file, so that names in records do not depend on the machine."""
        return f"{self.path}@{self.revision}/{self.split}/{path.name}"

    def _place(self, root: Path) -> Path:
        parts = (*self.path.split("/"), self.revision, self.configuration or "", self.split)
        # Two dashes part the parts, so that no two datasets share a directory.
        return _downloads(root) / "hub" / "--".join(part.replace("--", "-_-") for part in parts)

    def _load(self) -> Any:
        from datasets import load_dataset
        from datasets.exceptions import DatasetsError

        try:
            return load_dataset(self.path, self.configuration, split=self.split, revision=self.revision)
        except (DatasetsError, OSError, ValueError) as error:
            raise InputError(f"{shown(self.path)}: the hub gives no such dataset: {shown(str(error), 300)}") from error


def _downloads(root: Path) -> Path:
    return Home.find(root).path / "downloads"
