"""Identity terms are swapped as words, in their case, and the rest of a text is left alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmforge.recipe.robustness import Fairness
from lmforge.release.identity import holds_term, swap_terms

TERMS = Fairness().terms
CREEDS = (("buddhist", "christian", "hindu", "jewish", "muslim"),)
words = st.one_of(
    st.sampled_from([form for group in TERMS for term in group for form in (term, term.title(), term.upper())]),
    st.text(min_size=1, max_size=6),
)
sentences = st.lists(words, min_size=1, max_size=12).map(" ".join)


def swapped(text, groups=TERMS, seed=0, example_id="e1"):
    return swap_terms(text, groups, seed=seed, example_id=example_id)


@given(sentences)
@settings(max_examples=300, deadline=None)
def test_pairs_swapped_twice_give_the_text_back(text):
    assert swapped(swapped(text)) == text


@given(sentences, st.integers(0, 9))
@settings(max_examples=300, deadline=None)
def test_a_text_changes_where_it_holds_a_term_and_only_there(text, seed):
    found = swapped(text, seed=seed)
    assert found == swapped(text, seed=seed) and found
    assert (found != text) == holds_term(text, TERMS) == holds_term(found, TERMS)


@given(st.lists(st.sampled_from([term for group in TERMS for term in group]), min_size=1, max_size=8), st.data())
@settings(max_examples=200, deadline=None)
def test_case_is_kept(terms, data):
    cases = [data.draw(st.sampled_from([str.lower, str.title, str.upper])) for _ in terms]
    given_words = [case(term) for case, term in zip(cases, terms, strict=True)]
    found = swapped(" ".join(given_words)).split(" ")
    assert [(one.islower(), one.istitle(), one.isupper()) for one in found] == [
        (one.islower(), one.istitle(), one.isupper()) for one in given_words
    ]
    assert all(one != other for one, other in zip(found, given_words, strict=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He said: she's there, the WOMAN.", "She said: he's there, the MAN."),
        ("the theme of a manual, hE and sheep, he_2", "the theme of a manual, hE and sheep, he_2"),
        ("his\nsister", "her\nbrother"),
        ("", ""),
    ],
)
def test_only_whole_words_are_swapped(text, expected):
    assert swapped(text) == expected


def test_words_of_larger_groups_stay_different_and_all_others_occur():
    texts = [swapped("a Hindu and a muslim, the hindu", CREEDS, example_id=str(at)) for at in range(60)]
    pairs = {tuple(text.lower().replace(",", "").split()[1:5:3]) for text in texts}
    assert all(one != other for one, other in pairs)
    assert {one for one, _ in pairs} == set(CREEDS[0]) - {"hindu"}
    assert all(text.split()[1].lower() == text.split()[-1] for text in texts)
