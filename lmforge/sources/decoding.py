"""Bytes as text; what cannot be decoded, or holds NUL bytes, comes out as Rejected with a hint how to mend it."""

from __future__ import annotations

import codecs
from typing import Literal, NamedTuple

from lmforge.errors import InputError
from lmforge.sources.lines import Line
from lmforge.text.records import Rejected
from lmforge.wording import shown

NulBytes = Literal["quarantine", "strip"]

# What text that is not UTF-8 mostly is in; among more, a few bytes would fit too many.
_LIKELY = (
    "cp1252",
    "cp1251",
    "cp1250",
    "koi8_r",
    "shift_jis",
    "euc_jp",
    "gb18030",
    "big5",
    "euc_kr",
    "cp1253",
    "cp1256",
)
_SAMPLE_BYTES = 2048


class Decoded(NamedTuple):
    """Text, and the code of what was mended in it."""

    text: str
    repaired: str = ""


class Decoder:
    """How the lines of one file become text. The encoding that undecodable bytes are in is guessed once a file."""

    def __init__(self, source: str, encoding: str = "utf-8", nul_bytes: NulBytes = "quarantine") -> None:
        """InputError for an encoding that is unknown, or whose line feeds are no bytes of their own."""
        self.source, self.encoding, self._strip = source, _checked(encoding), nul_bytes == "strip"
        self._guess: str | None = None

    def line(self, line: Line) -> Decoded | Rejected:
        """The text of a line. Reason codes: line_too_long, nul_byte, invalid_utf8, invalid_encoding."""
        content, repaired = line.content, ""
        if line.sha256 is not None:
            return self.rejected("line_too_long", line)
        if b"\0" in content:
            if not self._strip:
                return self.rejected("nul_byte", line, "set `nul_bytes: strip` to remove them")
            content, repaired = content.replace(b"\0", b""), "nul_byte"
        try:
            return Decoded(content.decode(self.encoding), repaired)
        except UnicodeDecodeError as error:
            reason = "invalid_utf8" if self.encoding == "utf-8" else "invalid_encoding"
            hint = f"byte 0x{content[error.start]:02x}; {self._hint(content, error.start)}"
            return self.rejected(reason, line, hint, error.start)

    def rejected(self, reason: str, line: Line, detail: str = "", start: int = 0) -> Rejected:
        """The line as refused, `start` bytes after its beginning."""
        offset = line.offset + start
        refused = Rejected.of(reason, self.source, line.number, line.content, detail=detail, offset=offset)
        if line.sha256 is None:
            return refused
        return Rejected(reason, self.source, line.number, line.sha256, refused.excerpt, detail, offset)

    def stripped(self, text: str) -> Decoded | None:
        """Text that holds NUL characters without them; None where they are to be refused."""
        return Decoded(text.replace("\0", ""), "nul_byte") if self._strip else None

    def _hint(self, content: bytes, start: int) -> str:
        if self._guess is None:
            self._guess = _guessed(content[max(0, start - _SAMPLE_BYTES // 2) :][:_SAMPLE_BYTES], self.encoding)
        if self._guess:
            return f"the file looks like {self._guess}: set `encoding: {self._guess}`"
        return f"if the file is not {self.encoding}, set `encoding`, for example cp1252"


def _guessed(sample: bytes, encoding: str) -> str:
    from charset_normalizer import from_bytes

    best = from_bytes(sample, cp_isolation=[name for name in _LIKELY if name != encoding]).best()
    if best is None:
        return ""
    # Several may read the sample alike; the first is the likeliest.
    return next((name for name in _LIKELY if name in best.could_be_from_charset), best.encoding)


def _checked(encoding: str) -> str:
    try:
        name = codecs.lookup(encoding).name.removesuffix("-sig")
        # Lines are split as bytes, so a line feed must be one byte of its own.
        by_lines = "{\n".encode(name) == b"{\n"
    except (LookupError, UnicodeError, ValueError) as error:
        raise InputError(
            f"encoding: {shown(encoding)!r} is unknown; write for example utf-8, latin-1, cp1252"
        ) from error
    if not by_lines:
        raise InputError(
            f"encoding: {name} cannot be read by lines; convert with `iconv -f {name} -t UTF-8 FILE > NEW`"
        )
    return name
