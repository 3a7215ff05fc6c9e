import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.deduplication.overlap import EvaluationIndex, find_overlaps

QUESTION = "how many roads must a man walk down before you call him a man then my friend"
# A run of words that no other text has.
FILLER = [f"filler{number}" for number in range(400)]


def index(texts, name="test", n=13):
    ids = pl.Series([f"{name}-{row}" for row in range(len(texts))], dtype=pl.String)
    return EvaluationIndex.build(pl.Series(texts, dtype=pl.String), ids, name, n)


def overlaps(texts, *indexes):
    return find_overlaps(pl.Series(texts, dtype=pl.String), indexes).rows()


def words(text, start, end):
    return " ".join(text.split()[start:end])


def test_a_run_of_thirteen_words_is_an_overlap():
    documents = ["nothing here", f"as it goes: {words(QUESTION, 0, 13)} and so on", f"again {words(QUESTION, 1, 15)}."]
    assert overlaps(documents, index(["other", QUESTION])) == [(1, "test", "test-1", 1), (2, "test", "test-1", 2)]


def test_a_run_of_twelve_words_is_not():
    assert overlaps([f"as it goes {words(QUESTION, 0, 12)} and so on"], index([QUESTION])) == []


def test_punctuation_does_not_hide_an_overlap():
    assert overlaps(["'" + QUESTION.replace(" ", ", ") + "?'"], index([QUESTION])) == [(0, "test", "test-0", 5)]


def test_a_run_does_not_reach_into_the_next_document():
    assert overlaps([words(QUESTION, 0, 7), words(QUESTION, 7, 17)], index([QUESTION])) == []


def test_a_short_text_counts_as_a_whole_from_eight_words_on():
    eight, seven = words(QUESTION, 0, 8), words(QUESTION, 8, 15)
    found = index([seven, eight])
    assert overlaps([f"well {eight} well", f"well {seven} well", words(QUESTION, 0, 7)], found) == [
        (0, "test", "test-1", 1)
    ]
    assert found.lengths == (13, 8)
    assert found.num_unguarded == 1


def test_a_phrase_in_more_than_ten_texts_is_no_evidence():
    phrase = " ".join(FILLER[:13])
    texts = [f"{' '.join(FILLER[20 + 15 * row : 35 + 15 * row])} {phrase}" for row in range(11)]
    assert overlaps([phrase], index(texts[:10])) == [(0, "test", "test-0", 1)]
    assert overlaps([phrase], index(texts)) == []
    assert index(texts).num_ignored == 1
    assert overlaps([texts[4]], index(texts)) == [(0, "test", "test-4", 15)]


def test_equal_texts_of_the_set_are_one():
    found = index([QUESTION] * 11)
    assert overlaps([QUESTION], found) == [(0, "test", "test-0", 5)]
    assert (found.num_ignored, found.num_unguarded) == (0, 0)


def test_a_text_that_is_all_boilerplate_is_told_as_unguarded():
    phrase = " ".join(FILLER[:13])
    assert index([phrase, *(f"{phrase} {word}" for word in FILLER[20:30])]).num_unguarded == 1


def test_a_text_that_repeats_its_own_words_is_still_evidence():
    text = " ".join(FILLER[:13] * 12)
    assert index([text]).num_ignored == 0
    assert overlaps([" ".join(FILLER[:13])], index([text])) == [(0, "test", "test-0", 1)]


def test_each_set_is_reported_in_the_order_given():
    first, second = index([QUESTION], "dev"), index(["x", QUESTION], "axe")
    assert overlaps(["no", QUESTION], first, second) == [(1, "dev", "dev-0", 5), (1, "axe", "axe-1", 5)]


def test_sets_may_have_runs_of_different_lengths():
    short, long = index([QUESTION], "short", n=5), index([QUESTION], "long", n=15)
    assert overlaps([words(QUESTION, 2, 9)], long, short) == [(0, "short", "short-0", 3)]


def test_the_text_of_the_first_shared_run_is_named():
    other = " ".join(FILLER[:20])
    assert overlaps([f"{other} {QUESTION}"], index([QUESTION, other])) == [(0, "test", "test-1", 13)]


@pytest.mark.parametrize("documents", [[], ["", None], ["a b c"]])
def test_nothing_overlaps_with_little_text(documents):
    frame = find_overlaps(pl.Series(documents, dtype=pl.String), [index([QUESTION]), index([]), index([""])])
    assert frame.rows() == []
    assert frame.schema == {"row": pl.Int64, "set": pl.String, "evaluation_id": pl.String, "num_ngrams": pl.Int64}


def test_no_sets_overlap_with_nothing():
    assert overlaps([QUESTION]) == []


def test_a_saved_index_answers_alike(tmp_path):
    found = index([QUESTION, words(QUESTION, 0, 9)], "naïve/set")
    found.save(tmp_path)
    again = EvaluationIndex.load(tmp_path)
    documents = [QUESTION, f"so {words(QUESTION, 0, 9)}"]
    assert overlaps(documents, again) == overlaps(documents, found) != []
    assert (again.lengths, again.num_ignored, again.num_unguarded) == ((13, 9), 0, 0)


def test_saving_writes_the_same_bytes_each_time(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        index([QUESTION, " ".join(FILLER)]).save(tmp_path / name)
    assert [path.read_bytes() for path in sorted((tmp_path / "a").iterdir())] == [
        path.read_bytes() for path in sorted((tmp_path / "b").iterdir())
    ]


def test_rows_count_through_all_blocks():
    documents = ["nothing"] * 2_500
    documents[1_700] = documents[3] = QUESTION
    assert [row for row, *_ in overlaps(documents, index([QUESTION]))] == [3, 1_700]


TEXTS = st.lists(st.lists(st.sampled_from("abc"), max_size=14).map(" ".join), max_size=5)


def runs(text, n):
    found = text.split()
    return [tuple(found[at : at + n]) for at in range(len(found) - n + 1)]


@settings(max_examples=200)
@given(TEXTS, TEXTS, st.integers(5, 10))
def test_overlaps_are_those_of_the_definition(documents, evaluation, n):
    """Five texts cannot make a run frequent, so every run of n words and every whole text of 8 to n - 1 counts."""
    evidence = set()
    for text in evaluation:
        evidence.update(runs(text, n))
        if 8 <= len(text.split()) < n:
            evidence.add(tuple(text.split()))
    expected = [sum(run in evidence for size in range(5, 14) for run in runs(text, size)) for text in documents]
    found = {row: count for row, _, _, count in overlaps(documents, index(evaluation, n=n))}
    assert [found.get(row, 0) for row in range(len(documents))] == expected


def test_ngrams_are_sorted_and_unique():
    found = index([QUESTION, QUESTION + " again", " ".join(FILLER)])
    assert (np.diff(found.ngrams.astype(object)) > 0).all()
    assert len(found.ngrams) == len(found.examples) == 5 + 1 + 388
