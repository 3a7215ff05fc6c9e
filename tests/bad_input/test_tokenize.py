"""Tokenize under bad input: too little text, too large a vocabulary, and blocks that are not those of the tokenizer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lmforge.artifacts import Artifact
from lmforge.errors import InputError, IntegrityError, RecipeError
from lmforge.tokenization.packing import read_blocks
from tests.bad_input.project import Project

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def texts(descriptions: list[dict]) -> list[str]:
    return [row["description"] for row in descriptions]


@pytest.fixture
def tokens(project: Project, descriptions: list[dict]) -> Artifact:
    return project.tokenize(texts(descriptions), vocab_size=500, engine="tokenizers")


SMALL = [f"the {word} of it" for word in ("house", "street", "garden", "river", "bridge")]
IDEOGRAPHS = ["".join(map(chr, range(0x4E00 + 40 * n, 0x4E00 + 40 * n + 40))) for n in range(12)]
STOPPING = {
    "a vocabulary beyond the text": (SMALL, {"vocab_size": 8192}, "8192 asked for, but the clean corpus yields only"),
    "the same, of bytes": (
        SMALL,
        {"vocab_size": 8192, "kind": "bpe"},
        "8192 asked for, but the clean corpus yields only",
    ),
    "an alphabet beyond the vocabulary": (
        IDEOGRAPHS,
        {"vocab_size": 300},
        "300 asked for, but single characters alone take",
    ),
}


@pytest.mark.parametrize(("given", "settings", "says"), STOPPING.values(), ids=STOPPING)
def test_a_vocabulary_that_cannot_be_stops(project: Project, given: list[str], settings: dict, says: str) -> None:
    with pytest.raises(InputError, match=says):
        project.tokenize(given, **settings)
    project.check_nothing_published("tokenize")
    project.check_nothing_published("tokenize.tokenizer")


@pytest.mark.parametrize("vocab_size", [0, -1, 255, 65_536, 10**9])
def test_a_vocabulary_below_the_bytes_or_beyond_16_bits_is_no_recipe(project: Project, vocab_size: int) -> None:
    with pytest.raises(RecipeError, match=r"recipe\.yaml:1: tokenizer\.vocab_size"):
        project.tokenize(SMALL, vocab_size=vocab_size)


def test_an_empty_corpus_stops(project: Project) -> None:
    with pytest.raises(InputError, match="no training document to learn a tokenizer from"):
        project.tokenize(["\u200b", " "], vocab_size=300)
    project.check_nothing_published("tokenize")


DAMAGE = {
    "an id beyond the vocabulary": (
        lambda blocks: np.where(blocks > 400, 65_535, blocks).astype("<u2"),
        "id 65535 in it",
    ),
    "32 bits": (lambda blocks: blocks.astype("<u4"), "not little-endian uint16"),
    "the other byte order": (lambda blocks: blocks.astype(">u2"), "not little-endian uint16"),
    "blocks of another length": (lambda blocks: blocks[:, :-1].copy(), "blocks of 31 tokens, 32 expected"),
    "one row of tokens": (lambda blocks: blocks.reshape(-1), "not little-endian uint16"),
}


@pytest.mark.parametrize(("change", "says"), DAMAGE.values(), ids=DAMAGE)
def test_blocks_that_were_changed_are_refused(tokens: Artifact, change: object, says: str) -> None:
    path = tokens.path / "train.npy"
    blocks = np.load(path)
    np.save(path, change(blocks))  # type: ignore[operator]
    with pytest.raises(IntegrityError, match=says):
        read_blocks(path, tokens.path / "tokenizer")


def test_blocks_of_another_tokenizer_are_refused(tokens: Artifact, project: Project, descriptions: list[dict]) -> None:
    other = project.tokenize(texts(descriptions), vocab_size=600, engine="tokenizers")
    with pytest.raises(InputError, match="made with another tokenizer"):
        read_blocks(tokens.path / "train.npy", other.path / "tokenizer")
