"""Documents for measurements: the same for everyone, and as many copies among them as they say."""

import gzip
import json

import pytest

from benchmarks.corpus_documents import EVALUATION, EXACT_SHARE, EXAMPLES, NEAR_SHARE, Documents


@pytest.fixture(scope="module")
def documents():
    return Documents()


@pytest.fixture(scope="module")
def texts(documents):
    return [documents.text(number) for number in range(4_000)]


def test_a_document_depends_on_its_number_and_the_seed_alone(documents, texts):
    assert documents.text(3_999) == texts[3_999]
    assert Documents().text(1_234) == texts[1_234]
    assert Documents(seed=1).text(1_234) != texts[1_234]


def test_copies_are_as_many_as_promised(texts):
    num_exact = len(texts) - len(set(texts))
    near = [text for text in texts if text.removesuffix(" again.") != text]
    assert num_exact / len(texts) == pytest.approx(EXACT_SHARE, abs=0.01)
    assert len(near) / len(texts) == pytest.approx(NEAR_SHARE, abs=0.015)


def test_documents_are_as_long_as_real_ones(texts):
    with gzip.open(EXAMPLES, "rt", encoding="utf-8") as file:
        real = sorted(len(json.loads(line)["description"]) for line in file)
    ours = sorted(map(len, texts))
    for share in (0.5, 0.9):
        assert ours[int(share * len(ours))] == pytest.approx(real[int(share * len(real))], rel=0.35)


def test_files_are_the_same_bytes_and_a_prefix_of_larger_ones(documents, texts, tmp_path):
    num_bytes = documents.write(tmp_path / "a", 300)
    documents.write(tmp_path / "b", 300)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["corpus-0000.jsonl.gz", EVALUATION]
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in names)
    with gzip.open(tmp_path / "a" / "corpus-0000.jsonl.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    assert [row["text"] for row in rows] == texts[:300]
    assert len({row["id"] for row in rows}) == 300
    assert num_bytes == sum(len(text.encode()) for text in texts[:300])
