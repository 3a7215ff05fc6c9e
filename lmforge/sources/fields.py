"""The fields that a source is read for, and the messages when a file does not have them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from lmforge.errors import InputError
from lmforge.wording import listed, nearest, shown


@dataclass(frozen=True, slots=True)
class Columns:
    """The names of the fields that hold the text and, where wanted, the id, the label and the group.

    more: further fields, handed on as they are; optional: those of them that a file may lack.
    """

    text: str = "text"
    id: str | None = None
    label: str | None = None
    group: str | None = None
    more: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()

    @property
    def wanted(self) -> list[str]:
        """The given names that a file must have, without repeats."""
        more = (name for name in self.more if name not in self.optional)
        given = (self.text, self.id, self.label, self.group, *more)
        return list(dict.fromkeys(name for name in given if name is not None))

    def among(self, header: Iterable[str]) -> Columns:
        """These names without the optional ones that `header` lacks."""
        if not self.optional:
            return self
        lacking = set(self.optional) - set(header)
        return replace(self, more=tuple(name for name in self.more if name not in lacking), optional=())


def check_header(header: list[str], wanted: list[str], source: str, delimiter: str = ",") -> None:
    """Raise InputError for a repeated column or a missing wanted one; names what is there and the nearest names."""
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise InputError(f"{shown(source)}: the header names {listed(repeated)} more than once; rename the columns")
    missing = [name for name in wanted if name not in header]
    if missing:
        raise InputError(missing_fields(missing, header, source) + _delimiter_hint(header, delimiter))


def missing_fields(missing: list[str], found: list[str], source: str) -> str:
    """The message for fields that a file has nowhere: which, what was found instead and the nearest names."""
    near = [f"did you mean {shown(name)!r} for {shown(want)!r}?" for want in missing if (name := nearest(want, found))]
    return " ".join([f"{shown(source)}: no field {listed(missing)}; found {listed(found) or 'none'}.", *near])


def _delimiter_hint(header: list[str], delimiter: str) -> str:
    if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in header[0] and mark != delimiter), None)):
        return f" Columns seem to be parted by {other!r}: write the file with commas, or with tabs and the ending .tsv."
    return ""
