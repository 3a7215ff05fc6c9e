"""The data stages of two small runs whose ids, texts, names of files, labels and licences are hostile or private."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from lmforge.artifacts import Artifact, Store
from lmforge.artifacts.store import Outcome, Request
from lmforge.recipe.data import Corpus, LabelledData
from lmforge.recipe.schema import Tokenizer
from lmforge.sharding import Workshop
from lmforge.sources.collecting import collect
from lmforge.text.cleaning import clean
from lmforge.text.guarding import EvaluationSet
from lmforge.text.labelling import label
from lmforge.text.profiling import write_profile
from lmforge.text.records import scan
from lmforge.tokenization.corpus import tokenize

SCRIPT, RED, OVERRIDE = "<script>alert(1)</script>", "\x1b[31m", "\u202e"
FEED = f"feed <b>new {OVERRIDE}.jsonl"
LICENSE = f"CC0 <i>{RED}"
LABELS = ("<img src=x>", "plain")
SENTENCE = "the quick brown fox jumps over a lazy dog while seven old wizards brew some dark tea in an empty hall"
WORDS = SENTENCE.split()


def sentence(number: int) -> str:
    picked = [WORDS[(number * step + step) % len(WORDS)] for step in range(1, 13)]
    return f"Sentence {number} says that {' '.join(picked)} and then {number * 7} more of them."


ODD = {
    SCRIPT: f"This page shows {SCRIPT} in the middle of an ordinary English sentence about nothing.",
    "jane.doe@example-company.com": "Please write to jane.doe@example-company.com about the broken window upstairs.",
    f"turn{OVERRIDE}ed": f"The invoice {OVERRIDE}gnp.exe was attached to the message that nobody had asked for.",
    "leak": "The key of the account is AKIAQWERTYUIOPASDFGH and it should not be in this text at all.",
    "ansi": f"A {RED}red word stands in the middle of this otherwise quite ordinary English sentence.",
    "short": "Too short",
    **{f"twin-{n}": "This very sentence stands in the feed many times because it was copied." for n in range(8)},
    "held out": sentence(3).upper(),
}


def _outcome(column: str, observed: float | None, verdict: str, limit: str = "at most 0.25") -> dict:
    return {
        "column": column, "expectation": "e", "words": f"words of {column}", "observed": observed, "limit": limit,
        "verdict": verdict, "severity": "critical", "key": f"expectations.{column}", "detail": "",
    }  # fmt: skip


def write_validation(directory: Path, name: str, compared_with: str, *, passed: bool = True) -> None:
    """What a gate leaves: one promise of each verdict, and a page."""
    outcomes = [
        _outcome("num_rows", 60, "holds" if passed else "broken", "at least 10"),
        _outcome("length_drift", 0.31, "warns"),
        _outcome("volume_ratio", 1.5, "holds", "at least 0.5"),
        _outcome("volume_ratio", 1.5, "holds", "at most 2"),
        _outcome("label_drift", None, "not compared"),
    ]
    validation = {
        "suite": f"suite_{name}", "promise": "p", "passed": passed, "num_warnings": 1, "compared_with": compared_with,
        "outcomes": outcomes, "statistics": {"personal_data_share": 0.0}, "offenders": [], "num_failing_rows": 0,
    }  # fmt: skip
    directory.mkdir(parents=True)
    (directory / "validation.json").write_text(json.dumps(validation))
    (directory / "data_docs.html").write_text("<title>Data Docs</title>")


class Feed:
    """A project whose data stages are made by the functions of the library, beside what their gates would leave."""

    def __init__(self, root: Path) -> None:
        self.root, self.store = root, Store(root / "store")
        self.workshop = Workshop(self.store)
        self.corpus = Corpus.model_validate(
            {
                "sources": [{"path": "feed*.jsonl", "id": "id", "license": LICENSE, "origin": f"{SCRIPT} of a friend"}],
                "deduplication": {"min_kept_share": 0.0},
                "validation_share": 0.3,
            }
        )

    def write(self, name: str, rows: list[dict]) -> None:
        (self.root / name).write_text("".join(json.dumps(row) + "\n" for row in rows))

    def make(self, name: str, kind: str, version: str, build, compared_with: str = "") -> Artifact:
        def built(out: Path) -> Outcome:
            outcome = build(out)
            if kind != "tokens":
                frame = scan(out) if kind != "labelled" else scan_labelled(out)
                write_profile(frame, out)
            write_validation(out / "logs" / "validation", name, compared_with)
            return outcome

        return self.store.get_or_build(Request(name, kind, {"version": version}, {}, "code"), built)[0]

    def run(self, version: str, earlier: dict[str, Artifact]) -> dict[str, Artifact]:
        data = LabelledData(path="labelled.jsonl", id="id", validation_share=0.2, test_share=0.3)
        then = {name: artifact.path.name for name, artifact in earlier.items()}

        def collected(out: Path) -> Outcome:
            return Outcome(*collect(self.corpus.sources, out, root=self.root, workshop=self.workshop))

        def labelled(out: Path) -> Outcome:
            settings = {"cleaning": self.corpus.cleaning, "deduplication": self.corpus.deduplication}
            made = label(data, out, root=self.root, **settings)
            return Outcome(made.counts, made.facts)

        made = {"label-topic": self.make("label-topic", "labelled", version, labelled)}
        made["collect"] = self.make("collect", "raw_corpus", version, collected, then.get("collect", ""))
        sets = [EvaluationSet("topic", made["label-topic"].path)]

        def cleaned(out: Path) -> Outcome:
            return Outcome(*clean(made["collect"].path, out, self.corpus, sets, self.workshop))

        made["clean"] = self.make("clean", "clean_corpus", version, cleaned, then.get("clean", ""))

        def tokenized(out: Path) -> Outcome:
            settings = Tokenizer(vocab_size=300, kind="bpe")
            return Outcome(*tokenize(made["clean"].path, out, settings, 16, self.workshop))

        return made | {"tokenize": self.make("tokenize", "tokens", version, tokenized)}


def scan_labelled(directory: Path):
    import polars as pl

    return pl.concat([pl.scan_parquet(directory / f"{split}.parquet") for split in ("train", "validation", "test")])


@pytest.fixture(scope="session")
def data_run(tmp_path_factory) -> SimpleNamespace:
    """`made` (stage -> artifact) and `reports` of the second run, and `first`, the artifacts of the run before."""
    feed = Feed(tmp_path_factory.mktemp("feed"))
    labelled = [{"id": f"l{n}", "text": sentence(n), "label": LABELS[n % 2]} for n in range(40)]
    feed.write("labelled.jsonl", [*labelled, {"id": "none", "text": "call me at bob@example-company.com"}])
    feed.write("feed-1.jsonl", [{"id": f"a{n}", "text": sentence(100 + n)} for n in range(30)])
    feed.write("feed-2.jsonl", [{"id": "gone", "text": sentence(500)}])
    first = feed.run("1", {})
    (feed.root / "feed-2.jsonl").unlink()
    feed.write("feed-1.jsonl", [{"id": f"a{n}", "text": sentence(100 + n)} for n in range(40)])
    more = {"short": {"url": 1, "<b>bob@example-company.com": 1}}
    feed.write(FEED, [{"id": name, "text": text, **more.get(name, {"url": 2})} for name, text in ODD.items()])
    with (feed.root / FEED).open("a") as file:
        file.write('{"id": "broken", "text": "mail\\nme at bob@example-company.com\n')
    reports = feed.root / "reports"
    reports.mkdir()
    return SimpleNamespace(made=feed.run("2", first), first=first, reports=reports, root=feed.root)
