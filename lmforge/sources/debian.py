"""The package index that apt keeps as a source: one short text a package, in many languages, free metadata.

A `Translation-LANG` file holds the descriptions; section and source package stand only in the `Packages` files of the
same archive, which are looked up beside it. Of packages that several suites describe, the first in the order of file
names counts, because the second has the same id.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, StringConstraints

from lmforge.errors import InputError
from lmforge.paths import expand
from lmforge.sources.base import SourceBase
from lmforge.wording import listed, shown

if TYPE_CHECKING:
    from lmforge.sources.rows import Row
    from lmforge.text.records import Record, Rejected

_APT_LISTS = "/var/lib/apt/lists"
_NAME = re.compile(
    r"(?P<archive>.*?)(?:(?:i18n_)?Translation-(?P<language>[A-Za-z_]{2,7})|(?:binary-[a-z0-9-]+_)?Packages)(?:\.[a-z0-9]+)?"
)
_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)")
_DESCRIPTION = re.compile(r"Description(?:-(?!md5)[A-Za-z_]{2,7})?")
_MAX_STANZA_BYTES = 1 << 20

LanguageCode = Annotated[str, StringConstraints(pattern=r"^[a-z]{2,3}(_[A-Z]{2})?$")]


class DebianIndexSource(SourceBase):
    """Descriptions of packages in an apt lists directory; id `package:language`, group the source package."""

    kind: Literal["debian"]
    path: str = Field(
        default=_APT_LISTS,
        description="directory with Packages and Translation files; where apt keeps them is read from any project",
    )
    languages: tuple[LanguageCode, ...] = Field(default=("en",), min_length=1, description="as files are named: pt_BR")
    text: Literal["description", "synopsis"] = Field(default="description", description="long text, or its first line")

    def files(self, root: Path) -> list[Path]:
        """The Translation files of the wanted languages, and for English the Packages files of archives without one."""
        found = _directory(root, self.path)
        wanted = []
        translated = {_archive(path) for path in found if _language(path) == "en"}
        for path in found:
            language = _language(path)
            if language in self.languages or (
                language is None and "en" in self.languages and _archive(path) not in translated
            ):
                wanted.append(path)
        if not wanted:
            there = listed(sorted({language for path in found if (language := _language(path))})) or "none"
            raise InputError(
                f"{shown(self.path)}: no descriptions in {listed(self.languages)}; languages there: {there}; "
                "run `apt-get update`, with Acquire::Languages for others"
            )
        return wanted

    def companions(self, path: Path) -> list[Path]:
        """For a Translation file, the Packages files of its archive: they hold section and source package."""
        if _language(path) is None:
            return []
        beside = sorted(path.parent.glob("*Packages*"))
        return [one for one in beside if _language(one) is None and _archive(one) == _archive(path)]

    def read(self, path: Path, source: str) -> Iterator[Record | Rejected]:
        """One record a package; `line` is where its stanza begins, `label` its section.

        Reason codes: missing_id, missing_text, invalid_utf8, nul_byte, document_too_long.
        Raises InputError for a file that cannot be read or is damaged.
        """
        from lmforge.text.records import Rejected

        known: dict[str, tuple[str, str]] = {}
        for beside in self.companions(path):
            known.update(_places(beside))
        language = _language(path) or "en"
        for row in _stanzas(path, source):
            yield row if isinstance(row, Rejected) else self._record(row, path, source, language, known)

    def _record(
        self, row: Row, path: Path, source: str, language: str, known: Mapping[str, tuple[str, str]]
    ) -> Record | Rejected:
        from lmforge.text.records import Record

        fields = _fields(row)
        name = fields.get("Package", "")
        if not name:
            return row.rejected("missing_id", source, "a stanza without the field Package")
        described = next((value for field, value in fields.items() if _DESCRIPTION.fullmatch(field)), "")
        text = _text(described, self.text)
        if not text:
            return row.rejected("missing_text", source, f"{shown(name)} has no {self.text}")
        section, group = known.get(name) or _place(fields)
        return Record(
            text, source, row.line, f"{name}:{language}", section or None, group,
            language=language.partition("_")[0], origin=self.origin or path.name,
        )  # fmt: skip


def _directory(root: Path, path: str) -> list[Path]:
    """The index files of a directory, sorted; the place where apt keeps them may be read from any project."""
    if path.rstrip("/") == _APT_LISTS:
        place = Path(_APT_LISTS)
        found = sorted(one for one in place.iterdir() if one.is_file()) if place.is_dir() else []
    else:
        found = expand(root, f"{path.rstrip('/')}/*")
    index = [one for one in found if _NAME.fullmatch(one.name)]
    if not index:
        raise InputError(f"{shown(path)}: no Packages or Translation file in it; run `apt-get update`")
    return index


def _language(path: Path) -> str | None:
    """As the name of a Translation file ends; None for a Packages file."""
    match = _NAME.fullmatch(path.name)
    return match["language"] if match else None


def _archive(path: Path) -> str | None:
    """What the files of an archive share in their names, for example `..._dists_bookworm_main_`."""
    match = _NAME.fullmatch(path.name)
    return match["archive"] if match else None


def _stanzas(path: Path, source: str) -> Iterator[Row | Rejected]:
    from lmforge.sources.decoding import Decoder
    from lmforge.sources.lines import read_lines
    from lmforge.sources.opening import open_bytes
    from lmforge.sources.rows import paragraph_rows

    with open_bytes(path, "text") as stream:
        lines = read_lines(stream, _MAX_STANZA_BYTES)
        yield from paragraph_rows(lines, Decoder(source, "utf-8", "quarantine"), _MAX_STANZA_BYTES)


def _fields(row: Row) -> dict[str, str]:
    """The fields of a stanza, continuation lines included; as in deb822(5), of a repeated field the first counts."""
    fields: dict[str, list[str]] = {}
    current: list[str] = []
    for line in str(row.fields["text"]).split("\n"):
        if line[:1] in (" ", "\t"):
            current.append(line.rstrip())
        elif match := _FIELD.match(line):
            current = [match[2].rstrip()]
            fields.setdefault(match[1], current)
    return {name: "\n".join(lines) for name, lines in fields.items()}


def _places(path: Path) -> Iterator[tuple[str, tuple[str, str]]]:
    from lmforge.text.records import Rejected

    for row in _stanzas(path, path.name):
        if not isinstance(row, Rejected) and (name := (fields := _fields(row)).get("Package")):
            yield name, _place(fields)


def _place(fields: Mapping[str, str]) -> tuple[str, str]:
    """Section, without its area (`contrib/games`), and source package, without its version."""
    section = fields.get("Section", "").rpartition("/")[2]
    return section, (fields.get("Source") or fields.get("Package", "")).partition(" ")[0]


def _text(description: str, part: str) -> str:
    """The first line, or those after it: a lone dot is a blank line, one blank in front of each is no part of it."""
    synopsis, *lines = description.split("\n")
    if part == "synopsis":
        return synopsis.strip()
    return "\n".join("" if line.strip() == "." else line[1:] for line in lines).strip("\n")
