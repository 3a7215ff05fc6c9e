"""A project of one test, whose data stages run through recipe, keys and store as the tasks run them."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmforge.artifacts import Artifact, Store
from lmforge.artifacts.store import Outcome
from lmforge.pipeline import stages
from lmforge.recipe import load_recipe
from lmforge.recipe.schema import Recipe
from lmforge.sharding import Workshop
from lmforge.sources.collecting import collect
from lmforge.text.cleaning import clean
from lmforge.text.guarding import evaluation_sets
from lmforge.text.labelling import label
from lmforge.tokenization.corpus import tokenize

Content = bytes | str | Callable[[Path], None]


@dataclass(frozen=True)
class Stops:
    """The stage raises an error with this exit code whose message matches `says`; nothing is published."""

    says: str
    exit_code: int = 2


@dataclass(frozen=True)
class Quarantines:
    """The run goes on without these records. says: regex of the detail of the first; line, offset: where it stood."""

    reasons: Mapping[str, int]
    line: int
    offset: int | None = None
    says: str = ""


@dataclass(frozen=True)
class Keeps:
    """The texts come out so, with these repairs, tags and unused columns counted in the manifest."""

    texts: tuple[str, ...]
    repairs: Mapping[str, int] | None = None
    tags: Mapping[str, int] | None = None
    unused: Mapping[str, int] | None = None


Wanted = Stops | Quarantines | Keeps


@dataclass(frozen=True)
class Case:
    """One bad input: the row of the list in test_every_row.py, what is written and what must come of it."""

    row: str
    name: str
    content: Content
    wanted: Wanted
    file: str = "data.jsonl"
    settings: Mapping[str, Any] | None = None

    @property
    def id(self) -> str:
        return f"{self.row}: {self.name}"


class Project:
    """Files, a recipe and a store below one directory."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store = Store(root / ".lmforge" / "store")
        self.workshop = Workshop(self.store)

    def write(self, name: str, content: Content) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def recipe(self, **parts: Any) -> Recipe:
        """A recipe as its user writes it; JSON is YAML."""
        return load_recipe(self.write("recipe.yaml", json.dumps({"name": "bad", **parts})))

    def collect(self, *sources: Mapping[str, Any], **corpus: Any) -> Artifact:
        recipe = self.recipe(corpus={"sources": sources, **corpus})
        assert recipe.corpus is not None
        read = recipe.corpus.sources
        for source in read:
            source.prepare(self.root)
        return self._make("collect", recipe, {}, lambda out: collect(read, out, root=self.root, workshop=self.workshop))

    def clean(self, texts: list[str], labelled: Mapping[str, Artifact] | None = None, **corpus: Any) -> Artifact:
        """The clean corpus of these texts; `corpus` are settings beside the sources."""
        self.write("raw.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in texts))
        raw = self.collect(source("raw.jsonl"), **corpus)
        recipe = self.recipe(corpus={"sources": [source("raw.jsonl")], **corpus})
        settings = recipe.corpus
        assert settings is not None
        sets = evaluation_sets(labelled or {}, settings.decontamination, self.root)
        return self._make(
            "clean", recipe, {"collect": raw}, lambda out: clean(raw.path, out, settings, sets, self.workshop)
        )

    def label(self, **data: Any) -> Artifact:
        recipe = self.recipe(model={"from": "base"}, tasks=[{"name": "task", "data": data}])

        def build(out: Path) -> tuple[Any, dict[str, Any]]:
            made = label(
                recipe.tasks[0].data,
                out,
                root=self.root,
                cleaning=recipe.cleaning,
                deduplication=recipe.deduplication,
            )
            return made.counts, made.facts

        return self._make("label-task", recipe, {}, build)

    def tokenize(self, texts: list[str], **tokenizer: Any) -> Artifact:
        plain = {"deduplication": {"min_kept_share": 0.0}, "cleaning": {"min_words": 1}}
        made = self.clean(texts, **plain)
        recipe = self.recipe(corpus={"sources": [source("raw.jsonl")], **plain}, tokenizer=tokenizer)
        return self._make(
            "tokenize",
            recipe,
            {"clean": made},
            lambda out: tokenize(made.path, out, recipe.tokenizer, 32, self.workshop),
        )

    def check_nothing_published(self, stage: str) -> None:
        """Whatever is in the store is whole, nothing is of this stage, and nothing half-made is left."""
        places = [one for one in self.store.root.glob("*/*") if one.is_dir() and not one.name.startswith(".")]
        assert all((place / "manifest.json").is_file() for place in places)
        assert [place for place in places if place.parent.name == stage] == []
        assert list(self.store.root.glob("*/.staging/*")) == []

    def _make(
        self,
        name: str,
        recipe: Recipe,
        inputs: Mapping[str, Artifact],
        build: Callable[[Path], tuple[Any, dict[str, Any]]],
    ) -> Artifact:
        stage = stages(recipe)[name]
        known = {one: inputs[one].fingerprint if one in inputs else "none" for one in stage.inputs.values()}
        request = stage.request(known, self.root)
        return self.store.get_or_build(request, lambda out: Outcome(*build(out)))[0]


def source(path: str, **settings: Any) -> dict[str, Any]:
    """A source of local files."""
    return {"kind": "files", "path": path, **settings}


def rejected(artifact: Artifact) -> list[dict[str, Any]]:
    """The quarantine, after a look at what every entry and the counts must hold."""
    entries = [json.loads(line) for line in (artifact.path / "quarantine.jsonl").read_text().splitlines()]
    for entry in entries:
        assert re.fullmatch("[0-9a-f]{64}", entry["sha256"])
        assert entry["excerpt"].isprintable() and len(entry["excerpt"]) <= 200
        assert entry["detail"].isprintable() and entry["source"] and entry["line"] >= 1
    counts = artifact.manifest.counts
    counts.check()
    assert dict(Counter(entry["reason"] for entry in entries)) == counts.reasons
    assert counts.quarantined == len(entries)
    return entries


def check_quarantined(artifact: Artifact, wanted: Quarantines) -> None:
    """The entries are those that are wanted, and the first says where and why."""
    entries = rejected(artifact)
    assert dict(Counter(entry["reason"] for entry in entries)) == wanted.reasons
    first = entries[0]
    assert first["line"] == wanted.line
    assert wanted.offset is None or first["offset"] == wanted.offset
    assert re.search(wanted.says, first["detail"]), first["detail"]
