"""What a trained network must beat to be worth its cost: the majority label and a linear model on word counts.

Both learn from the training split only and name labels, not ids. Dropping stop words and stemming can help word counts,
so they are options here and nowhere else: a language model must meet the words that it is asked to continue.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer, TfidfVectorizer
from sklearn.svm import LinearSVC

from lmforge.errors import InputError
from lmforge.recipe.schema import Baselines


def majority(train_labels: Sequence[str], num_test: int) -> list[str]:
    """Predict the most frequent training label, of equals the first by name; raises InputError without labels."""
    if not train_labels:
        raise InputError("0 training labels: the majority baseline needs at least one")
    counts = Counter(train_labels)
    return [min(counts, key=lambda label: (-counts[label], label))] * num_test


def tfidf_linear(
    train_texts: Sequence[str],
    train_labels: Sequence[str],
    test_texts: Sequence[str],
    *,
    seed: int,
    options: Baselines | None = None,
) -> list[str]:
    """Predict by a linear SVM on TF-IDF of words and word pairs (Wang & Manning 2012, Baselines and bigrams).

    options: stop words and stemming; by default none.
    Without any word that two training texts share there is nothing to weigh, and the answer is the majority label.
    Raises InputError when the training texts carry fewer than two labels or are not as many as their labels.
    """
    if len(train_texts) != len(train_labels) or len(set(train_labels)) < 2:
        raise InputError(
            f"{len(train_texts)} training texts with {len(set(train_labels))} labels in {len(train_labels)} rows: "
            "give one label a text, of at least two kinds"
        )
    # A word seen in one text only cannot be told from a misspelling, and such words are most of the vocabulary.
    words = _word_splitter(options or Baselines())
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2, tokenizer=words, token_pattern=None)
    if not _shared_words(vectorizer, train_texts):
        return majority(train_labels, len(test_texts))
    classifier = LinearSVC(random_state=seed)
    classifier.fit(vectorizer.fit_transform(train_texts), list(train_labels))
    if not test_texts:
        return []
    return [str(label) for label in classifier.predict(vectorizer.transform(test_texts))]


def _word_splitter(options: Baselines) -> Callable[[str], list[str]]:
    """Splits lower-case text as scikit-learn does, drops stop words as they are written, then stems the rest."""
    split = CountVectorizer().build_tokenizer()
    dropped = ENGLISH_STOP_WORDS if options.stop_words == "english" else frozenset()
    if options.stemming == "none":
        return lambda text: [word for word in split(text) if word not in dropped]
    from snowballstemmer import stemmer  # type: ignore[import-untyped]

    stem = stemmer(options.stemming).stemWords
    return lambda text: stem([word for word in split(text) if word not in dropped])


def _shared_words(vectorizer: TfidfVectorizer, texts: Sequence[str]) -> bool:
    """Whether some feature passes min_df; stops at the first, where fit would raise an error about pruning."""
    analyze = vectorizer.build_analyzer()
    seen: set[str] = set()
    for text in texts:
        features = set(analyze(text))
        if seen & features:
            return True
        seen |= features
    return False
