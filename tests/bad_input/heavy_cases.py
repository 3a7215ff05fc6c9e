"""Bad input that is meant to take the machine's memory or time; it is run apart from the tests, with caps.

Sizes are chosen so that a naive reader would go over a cap, and that writing the input stays cheap.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import resource
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from lmforge.artifacts import Artifact
from lmforge.errors import LmforgeError
from tests.bad_input.project import Project, source
from tests.bad_input.test_clean import GOOD

MB = 1 << 20
# Far above what any case may take, so that a failing one does not take the machine with it.
MOST_BYTES, MOST_SECONDS = 6 << 30, 60


class Heavy(NamedTuple):
    """`wanted`: the counts by reason, or part of the message it stops with. Caps: growth of memory, CPU seconds."""

    row: str
    run: Callable[[Project], Artifact]
    wanted: Mapping[str, int] | str
    max_mb: int = 200
    max_seconds: float = 20


class Measured(NamedTuple):
    outcome: dict[str, int] | str
    num_mb: float
    num_seconds: float


def warm_up(root: Path) -> None:
    """Let the stages import and set up what they do once, which is not the input's doing; limit this process."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    Project(root).clean(GOOD)


def measured(name: str, root: Path) -> Measured:
    """Run a case by its name; it ends with the process where it takes far too long."""
    before = _cpu_seconds()
    resource.setrlimit(resource.RLIMIT_CPU, (int(before) + MOST_SECONDS, resource.RLIM_INFINITY))
    # Sets the peak, VmHWM, to what is in use now (proc(5)).
    Path("/proc/self/clear_refs").write_text("5")
    in_use = _megabytes("VmHWM")
    outcome: dict[str, int] | str
    try:
        outcome = CASES[name].run(Project(root)).manifest.counts.reasons
    except LmforgeError as error:
        outcome = str(error)
    return Measured(outcome, _megabytes("VmHWM") - in_use, _cpu_seconds() - before)


def _megabytes(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _collected(
    file: str, head: bytes, repeated: bytes, times: int, tail: bytes, **settings: Any
) -> Callable[[Project], Artifact]:
    """Collect a file of `head`, many megabytes of `repeated`, and `tail`, without ever holding it."""

    def write(path: Path) -> None:
        opened: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}.get(path.suffix, open)
        with opened(path, "wb") as out:
            out.write(head)
            for _ in range(times):
                out.write(repeated)
            out.write(tail)

    def run(project: Project) -> Artifact:
        project.write(file, write)
        return project.collect(source(file, **settings))

    return run


def _zip_bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("a.jsonl", "w") as member:
        member.write(b'{"text": "')
        for _ in range(50):
            member.write(b"a" * MB)
        member.write(b'"}\n')


def _wide_rows(path: Path) -> None:
    """Three hundred references to one text of a megabyte, in one row group of a few hundred kilobytes."""
    texts = pa.DictionaryArray.from_arrays(pa.array([0] * 300, pa.int32()), pa.array(["ab " * (MB // 3)]))
    pq.write_table(pa.table({"text": texts}), path)


def _written(file: str, write: Callable[[Path], None], **settings: Any) -> Callable[[Project], Artifact]:
    def run(project: Project) -> Artifact:
        project.write(file, write)
        return project.collect(source(file, **settings))

    return run


def _cleaned(*texts: str, **cleaning: Any) -> Callable[[Project], Artifact]:
    return lambda project: project.clean([*GOOD, *texts], cleaning=cleaning)


FILTERS = {"filters": ["gopher_repetition", "gopher", "fineweb", "c4"]}
LONG = {"max_words": 10_000_000, "min_words": 1}
HEAD, TAIL = b'{"text": "', b'"}\n{"text": "good"}\n'
BOMB = "like a decompression bomb"
# Each made for a pattern that looks for an address, a number, a key or markup, and never finds it.
TRAPS = [
    "a" * 100_000 + "!", "(" * 100_000, "a" * 50_000 + "@" + "b" * 50_000, "a." * 50_000 + "@", "a@" * 50_000,
    "1" * 100_000, "1-" * 50_000, "4111 " * 4_000, "1.1.1." * 16_000, "f:" * 50_000, "DE89 3704 " * 10_000,
    "eyJ" * 33_000, "-----BEGIN PRIVATE KEY-----" * 3_700, "http://a:b" * 10_000, "http://" + "a:" * 50_000,
    "AKIA" * 25_000, "password=" * 11_000, "<" * 100_000, "&" * 100_000, "&" + "amp;" * 25_000, "Ã©" * 50_000,
    "Ã" * 100_000, "e" + "\u0300" * 100_000, "aа" * 50_000, "\U0001f468\u200d" * 50_000, "\u202e" * 100_000,
    "[a](" * 25_000, "**a" * 30_000, "|-" * 50_000, "{" * 100_000, "\\x41" * 25_000, "%41" * 33_000,
    "<!--" * 25_000, "<a href=" * 12_000, "<script>" * 12_000, "]]>" * 33_000,
]  # fmt: skip

CASES = {
    "a line of 100 MB": Heavy(
        "long_line", _collected("a.jsonl", HEAD, b"x" * MB, 100, TAIL), {"line_too_long": 1}, max_mb=150
    ),
    "a line of 100 MB in plain text": Heavy(
        "long_line", _collected("a.txt", b"", b"x" * MB, 100, b"\ngood\n"), {"line_too_long": 1}, max_mb=150
    ),
    "a CSV field of 100 MB": Heavy(
        "csv_field", _collected("a.csv", b"text\n", b"x" * MB, 100, b"\ngood\n"), {"line_too_long": 1}, max_mb=150
    ),
    # What comes after the limit is read as rows again.
    "a quoted CSV field of 300,000 lines": Heavy(
        "csv_field", _collected("a.csv", b'text\ngood\n"', b"xxxx\n" * 300_000, 1, b'"\n', max_line_bytes=100_000),
        {"line_too_long": 1, "truncated": 1}, max_mb=150,
    ),
    "100,000 levels": Heavy(
        "json_depth", _collected("a.jsonl", b'{"text": "a", "n": ', b"[" * 100_000, 1, b"]" * 100_000 + TAIL[1:]),
        {"nested_too_deeply": 1},
    ),
    "a million levels in an array": Heavy(
        "json_depth", _collected("a.json", b'[{"text": "good"}, ', b"[" * MB, 1, b"]" * MB + b"]", max_line_bytes=MB),
        {"document_too_long": 1}, max_mb=150,
    ),
    "gzip, 200 MB of a letter": Heavy("bombs", _collected("a.txt.gz", b"", b"x" * MB, 200, b""), BOMB, max_mb=100),
    "bzip2, 60 MB of a letter": Heavy("bombs", _collected("a.txt.bz2", b"", b"x" * MB, 60, b""), BOMB, max_mb=100),
    "xz, 60 MB of a letter": Heavy("bombs", _collected("a.txt.xz", b"", b"x" * MB, 60, b""), BOMB, max_mb=200),
    "zip, 50 MB of a letter": Heavy("bombs", _written("a.zip", _zip_bomb), BOMB, max_mb=100),
    "a row group of 300 MB in a megabyte": Heavy("wide_rows", _written("a.parquet", _wide_rows), {}, max_mb=400),
    "traps for patterns": Heavy("patterns", _cleaned(*TRAPS, **LONG), {"empty": 1}, max_mb=600),
    "traps for patterns, as HTML": Heavy("patterns", _cleaned(*TRAPS, html=True, **LONG), {"empty": 2}, max_mb=600),
    "100,000 open elements": Heavy("patterns", _cleaned("<div>" * 100_000 + "a word", html=True), {"too_short": 1}),
    "a million times one word": Heavy(
        "repeats", _cleaned("word " * 1_000_000, quality=FILTERS, **LONG), {"gopher_top_2_gram": 1}, max_mb=600
    ),
    "a million times one line": Heavy(
        "repeats", _cleaned("a line of text\n" * 1_000_000, quality=FILTERS, **LONG), {"gopher_duplicate_lines": 1},
        max_mb=1500,
    ),
    "a million times one word, no filter": Heavy("repeats", _cleaned("word " * 1_000_000, **LONG), {}, max_mb=600),
    "a million lines of one letter": Heavy(
        "repeats", _cleaned("a\n" * 1_000_000, **LONG), {}, max_mb=600
    ),
}  # fmt: skip
