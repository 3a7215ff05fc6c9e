"""Any number of documents made of real sentences, for measurements at sizes that the example data does not have.

A document strings together sentences of different descriptions until it is as long as a real one drawn for it, so
lengths, words and languages are those of the examples. Copies and near copies of other documents, anywhere before them,
are mixed in. A document depends on its number alone: the first thousand are the same however many are written.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random

EXAMPLES = Path(__file__).parents[1] / "examples" / "data" / "debian_descriptions.jsonl.gz"
EVALUATION = "evaluation.jsonl"
EXACT_SHARE, NEAR_SHARE = 0.02, 0.05
_FILE_DOCUMENTS = 50_000
_EVALUATION_EVERY = 50
# A shorter sentence is a heading or a list item; two documents would too often be near copies by one long sentence.
_MIN_WORDS, _MAX_WORDS = 6, 40
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")


class Documents:
    """Documents by number. evaluation: real descriptions that no sentence was taken from, though some share one."""

    def __init__(self, seed: int = 0) -> None:
        with gzip.open(EXAMPLES, "rt", encoding="utf-8") as file:
            texts = [str(json.loads(line)["description"]) for line in file]
        self.evaluation = texts[::_EVALUATION_EVERY]
        rest = [text for number, text in enumerate(texts) if number % _EVALUATION_EVERY]
        parts = dict.fromkeys(part.strip() for text in rest for part in _SENTENCE_END.split(text))
        self._sentences = [part for part in parts if _MIN_WORDS <= part.count(" ") + 1 <= _MAX_WORDS]
        self._lengths = [len(text) for text in rest]
        self._seed = seed

    def text(self, number: int) -> str:
        """The text of one document."""
        random = self._random(number)
        kind = self._kind(random, number)
        if kind == "fresh":
            return self._fresh(random)
        copied = random.randrange(number)
        while self._kind(self._random(copied), copied) != "fresh":
            copied -= 1
        original = self._random(copied)
        self._kind(original, copied)
        text = self._fresh(original)
        # One more word at the end is one more run of words: the two stay far above any threshold.
        return text if kind == "exact" else f"{text.rstrip('.')} again."

    def write(self, directory: Path, number: int) -> int:
        """Write `corpus-*.jsonl.gz` of so many documents and the evaluation set; return the bytes of text."""
        directory.mkdir(parents=True, exist_ok=True)
        lines = (json.dumps({"id": f"e{at}", "text": text}) for at, text in enumerate(self.evaluation))
        (directory / EVALUATION).write_text("\n".join(lines) + "\n", encoding="utf-8")
        return sum(
            self._write_file(directory / f"corpus-{start // _FILE_DOCUMENTS:04d}.jsonl.gz", start, number)
            for start in range(0, number, _FILE_DOCUMENTS)
        )

    def _write_file(self, path: Path, start: int, number: int) -> int:
        num_bytes = 0
        with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=0) as file:
            for at, text in self._between(start, min(start + _FILE_DOCUMENTS, number)):
                num_bytes += len(text.encode())
                file.write(json.dumps({"id": f"d{at:08d}", "text": text}).encode() + b"\n")
        return num_bytes

    def _between(self, start: int, end: int) -> Iterator[tuple[int, str]]:
        return ((number, self.text(number)) for number in range(start, end))

    def _random(self, number: int) -> Random:
        return Random(self._seed << 40 | number)

    def _kind(self, random: Random, number: int) -> str:
        draw = random.random()
        if number == 0 or draw >= EXACT_SHARE + NEAR_SHARE:
            return "fresh"
        return "exact" if draw < EXACT_SHARE else "near"

    def _fresh(self, random: Random) -> str:
        wanted = self._lengths[int(random.random() * len(self._lengths))]
        chosen: list[str] = []
        num_chars = 0
        while num_chars < wanted or len(chosen) < 2:
            chosen.append(self._sentences[int(random.random() * len(self._sentences))])
            num_chars += len(chosen[-1]) + 1
        middle = (len(chosen) + 1) // 2
        return "\n\n".join(" ".join(part) for part in (chosen[:middle], chosen[middle:]))
