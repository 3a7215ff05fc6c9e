"""Draw the embedded example data, one English description per Debian source package, from an apt index.

Two binary packages of one source share most of their text, so the draw keeps a single one: a split by row is then
a split by source. The draw depends on the index and the seed only, never on the order of the index.

    python examples/data/make_debian_descriptions.py --lists /var/lib/apt/lists --out debian_descriptions.jsonl.gz
"""

import argparse
import gzip
import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

_APT_HELPER = "/usr/lib/apt/apt-helper"
# Debian policy 5.6.13 leaves bullets to habit; these are the signs that occur at the start of list lines.
_BULLET = re.compile(r"\s*(?:[*+•·-]|o|--|\d{1,2}[.)])\s+\S")
_Stanza = dict[str, str]


def read_stanzas(lines: Iterable[str]) -> Iterator[_Stanza]:
    """Yield the paragraphs of a deb822 file as field name to raw value.

    Continuation lines keep their leading space, which tells wrapped text from verbatim text in a description.
    """
    stanza: _Stanza = {}
    field = ""
    for line in lines:
        line = line.rstrip("\n")
        if not line.strip():
            if stanza:
                yield stanza
            stanza, field = {}, ""
        elif line[0] in " \t":
            stanza[field] += "\n" + line
        else:
            field, _, value = line.partition(":")
            stanza[field] = value.strip()
    if stanza:
        yield stanza


def unwrap(description: str) -> str:
    """Return a long description as paragraphs: wrapped lines joined, list and verbatim lines kept.

    Source of the rules: Debian policy 5.6.13. A line " ." ends a paragraph; a line with one leading space is wrapped
    text; one with two or more is verbatim, unless it continues a list item, which is told by the item before it.
    """
    paragraphs: list[list[str]] = [[]]
    previous = ""
    for raw in description.split("\n"):
        line = raw.removeprefix(" ")
        if line.strip() in ("", "."):
            paragraphs.append([])
        elif paragraphs[-1] and _continues(line, previous):
            paragraphs[-1][-1] += " " + line.strip()
            continue  # `previous` stays the line that opened the item or paragraph
        else:
            paragraphs[-1].append(line.strip())
        previous = line
    return "\n\n".join("\n".join(lines) for lines in paragraphs if lines)


def make_records(packages: Iterable[_Stanza], translations: Iterable[_Stanza], seed: int) -> list[dict[str, object]]:
    """Return one record per source package, sorted by source; sources without a long description are dropped.

    Among the binary packages of a source the one with the smallest SHA-256 of seed and name is drawn, so another
    source that appears or goes does not change it.
    """
    texts = {(entry["Package"], entry["Description-md5"]): entry.get("Description-en", "") for entry in translations}
    drawn: dict[str, tuple[str, dict[str, object]]] = {}
    for package in packages:
        record = _record(package, texts.get((package["Package"], package.get("Description-md5", "")), ""))
        rank = hashlib.sha256(f"{seed}/{record['package']}".encode()).hexdigest()
        source = str(record["id"])
        if record["description"] and (source not in drawn or rank < drawn[source][0]):
            drawn[source] = (rank, record)
    return [drawn[source][1] for source in sorted(drawn)]


def write_records(records: Iterable[dict[str, object]], path: Path) -> None:
    """Write gzipped JSON Lines without a time stamp, so that equal records give equal bytes for one zlib."""
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    path.write_bytes(gzip.compress(lines.encode(), compresslevel=9, mtime=0))


def _continues(line: str, previous: str) -> bool:
    if _BULLET.match(line):
        return False
    if line[0] not in " \t":
        return previous[:1] not in (" ", "\t")
    return _BULLET.match(previous) is not None and _indentation(line) > _indentation(previous)


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())


def _record(package: _Stanza, text: str) -> dict[str, object]:
    synopsis, _, long_description = text.partition("\n")
    return {
        "id": package.get("Source", package["Package"]).split()[0],
        "package": package["Package"],
        "section": package.get("Section", "").rpartition("/")[2],
        "synopsis": synopsis.strip(),
        "description": unwrap(long_description),
        "tags": [tag.strip() for tag in package.get("Tag", "").replace("\n", " ").split(",") if tag.strip()],
    }


def _read_index(lists: Path, suite: str, ending: str) -> Iterator[_Stanza]:
    names = sorted(lists.glob(f"*_dists_{suite}_main_{ending}")) + sorted(
        lists.glob(f"*_dists_{suite}_main_{ending}.lz4")
    )
    if not names:
        raise SystemExit(
            f"no index *_dists_{suite}_main_{ending}[.lz4] in {lists}: "
            'run "apt-get update" with Acquire::Languages "en", or name the directory with --lists'
        )
    return read_stanzas(_decompress(names[0]).splitlines())


def _decompress(path: Path) -> str:
    if path.suffix != ".lz4":
        return path.read_text(encoding="utf-8")
    lz4 = shutil.which("lz4")
    command = [lz4, "-dcq", str(path)] if lz4 else [_APT_HELPER, "cat-file", str(path)]
    return subprocess.run(command, check=True, capture_output=True).stdout.decode("utf-8")


def main() -> None:
    """Read the command line, write the file and print its record count and SHA-256."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lists", type=Path, default=Path("/var/lib/apt/lists"), help="directory of the apt index")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "debian_descriptions.jsonl.gz")
    parser.add_argument("--suite", default="bookworm", help="Debian release whose main component is read")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    packages = _read_index(arguments.lists, arguments.suite, "binary-*_Packages")
    translations = _read_index(arguments.lists, arguments.suite, "i18n_Translation-en")
    records = make_records(packages, translations, arguments.seed)
    write_records(records, arguments.out)
    print(f"{len(records)} records, sha256 {hashlib.sha256(arguments.out.read_bytes()).hexdigest()}: {arguments.out}")


if __name__ == "__main__":
    main()
