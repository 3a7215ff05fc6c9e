"""What `bench_near_duplicates.py` measures: each system by name, run once in a process of its own.

Imports are inside the systems, so that one works where another is not installed.

Usage: python benchmarks/near_duplicate_systems.py NAME TEXTS.json
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

THRESHOLD, PERMUTATIONS, SHINGLE_WORDS, BANDS, ROWS = 0.8, 128, 5, 9, 13
_WARM_UP_TEXTS = 200


def shingles(text: str) -> list[bytes]:
    words = text.split(" ")
    runs = {" ".join(words[at : at + SHINGLE_WORDS]) for at in range(max(1, len(words) - SHINGLE_WORDS + 1))}
    return [run.encode() for run in runs]


def lmforge(texts: list[str]) -> Callable[[], int]:
    import numpy as np
    import polars as pl

    from lmforge.deduplication.near import band_keys, near_duplicates
    from lmforge.recipe.cleaning import Deduplication

    column = pl.Series(texts, dtype=pl.String)
    settings = Deduplication(threshold=THRESHOLD, num_permutations=PERMUTATIONS, shingle_words=SHINGLE_WORDS)
    texts.clear()

    def run() -> int:
        kept = near_duplicates(band_keys(column, settings), np.ones(len(column), np.bool_))
        return int((kept != np.arange(len(kept))).sum())

    return run


def first_kept(items: Iterable[Any], query: Callable[[Any], Any], insert: Callable[..., Any]) -> int:
    """Documents that are like an earlier one that was kept."""
    dropped = 0
    for row, item in enumerate(items):
        if query(item):
            dropped += 1
        else:
            insert(row, item)
    return dropped


def datasketch(texts: list[str]) -> Callable[[], int]:
    from datasketch import MinHash, MinHashLSH

    def hashed(text: str) -> MinHash:
        signature = MinHash(num_perm=PERMUTATIONS)
        for shingle in shingles(text):
            signature.update(shingle)
        return signature

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    return lambda: first_kept(map(hashed, texts), index.query, index.insert)


def datasketch_bulk(texts: list[str], seed: int = 1) -> Callable[[], int]:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(threshold=THRESHOLD, num_perm=PERMUTATIONS)
    sets = map(shingles, texts)
    return lambda: first_kept(MinHash.bulk(sets, num_perm=PERMUTATIONS, seed=seed), index.query, index.insert)


def rensa(texts: list[str]) -> Callable[[], int]:
    from rensa import RMinHash, RMinHashLSH

    def hashed(text: str) -> RMinHash:
        signature = RMinHash(BANDS * ROWS, 42)
        signature.update(shingles(text))
        return signature

    index = RMinHashLSH(THRESHOLD, BANDS * ROWS, BANDS)
    return lambda: first_kept(map(hashed, texts), index.query, index.insert)


def gaoya(texts: list[str]) -> Callable[[], int]:
    from gaoya.minhash import MinHashStringIndex

    index = MinHashStringIndex(
        32, THRESHOLD, num_bands=BANDS, band_size=ROWS, ngram_range=(SHINGLE_WORDS, SHINGLE_WORDS),
        id_container="smallvec",
    )  # fmt: skip

    def run() -> int:
        index.par_bulk_insert_docs(list(range(len(texts))), texts)
        kept: set[int] = set()
        for row, alike in enumerate(index.par_bulk_query(texts)):
            if not any(other < row and other in kept for other in alike):
                kept.add(row)
        return len(texts) - len(kept)

    return run


def datatrove(texts: list[str]) -> Callable[[], int]:
    from datatrove.data import Document
    from datatrove.pipeline.dedup import minhash
    from datatrove.utils.hashing import HashConfig
    from loguru import logger

    class Words:
        """Words between spaces, as for the others; several times faster than spaCy, which is what it uses."""

        def word_tokenize(self, text: str) -> list[str]:
            return text.split(" ")

    logger.remove()
    if not find_spec("spacy"):
        minhash.load_word_tokenizer = lambda language: Words()
    # Its default hash function needs an older xxhash.
    config = minhash.MinhashConfig(
        n_grams=SHINGLE_WORDS, num_buckets=BANDS, hashes_per_bucket=ROWS, hash_config=HashConfig(hash_fc="sha1")
    )
    work = tempfile.TemporaryDirectory()
    signatures, pairs, removed = (f"{work.name}/{name}" for name in ("signatures", "pairs", "removed"))

    def documents() -> Iterator[Document]:
        return (Document(text=text, id=str(row)) for row, text in enumerate(texts))

    def run() -> int:
        first = minhash.MinhashDedupSignature(signatures, config=config)
        first.run(documents(), 0, 1)
        buckets = minhash.MinhashDedupBuckets(signatures, pairs, config=config)
        for bucket in range(BANDS):
            buckets.run(None, bucket, BANDS)
        minhash.MinhashDedupCluster(pairs, removed, config=config).run(None, 0, 1)
        kept = sum(1 for _ in minhash.MinhashDedupFilter(removed).run(documents(), 0, 1))
        work.cleanup()
        return len(texts) - kept

    return run


def exact(texts: list[str]) -> Callable[[], int]:
    import numpy as np
    import polars as pl

    from lmforge.deduplication.exact import first_of_each
    from lmforge.text.normalizing import key_normalized

    column = pl.Series(texts, dtype=pl.String)
    texts.clear()

    def run() -> int:
        # The stage reads its shards in frames of so many documents.
        parts = [key_normalized(column[start : start + 5_000]) for start in range(0, len(column), 5_000)]
        keys = np.concatenate(parts)
        return int((first_of_each(keys) != np.arange(len(column))).sum())

    return run


def sha256_set(texts: list[str]) -> Callable[[], int]:
    from hashlib import sha256

    return lambda: len(texts) - len({sha256(text.encode()).digest() for text in texts})


SYSTEMS: dict[str, Callable[[list[str]], Callable[[], int]]] = {
    "lmforge": lmforge, "datasketch": datasketch, "datasketch_bulk": datasketch_bulk, "rensa": rensa, "gaoya": gaoya,
    "datatrove": datatrove, "exact": exact, "sha256_set": sha256_set,
    "datasketch_seed_2": lambda texts: datasketch_bulk(texts, 2),
    "datasketch_seed_3": lambda texts: datasketch_bulk(texts, 3),
}  # fmt: skip
PEERS = {"datasketch": "datasketch", "datasketch_bulk": "datasketch", "gaoya": "gaoya", "datatrove": "datatrove"}


def main(name: str, file: Path) -> None:
    """One measurement, in a process of its own, printed as JSON."""
    texts: list[str] = json.loads(file.read_text())
    num_texts = len(texts)
    try:
        # What is loaded and allocated once in a process is not the point.
        SYSTEMS[name](texts[:_WARM_UP_TEXTS])()
        run = SYSTEMS[name](texts)
        package = PEERS.get(name)
        found = version(package) if package else ""
        if name == "datatrove" and not find_spec("spacy"):
            found += " without spaCy"
    except (ImportError, PackageNotFoundError) as error:
        print(json.dumps({"skipped": str(error)}))
        return
    # Linux: the highest resident size starts anew, so that reading the texts does not hide what the work takes.
    Path("/proc/self/clear_refs").write_text("5")
    before, wall, cpu = peak_bytes(), time.perf_counter(), cpu_seconds()
    flagged = run()
    row = {"cpu_seconds": cpu_seconds() - cpu, "wall_seconds": time.perf_counter() - wall, "flagged": flagged}
    print(json.dumps(row | {"num_texts": num_texts, "grown_bytes": peak_bytes() - before, "version": found}))


def cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def peak_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
