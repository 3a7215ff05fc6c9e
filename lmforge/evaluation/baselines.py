"""What a trained network must beat to be worth its cost: the majority label and a linear model on word counts.

Both learn from the training split only and name labels, not ids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from lmforge.errors import InputError


def majority(train_labels: Sequence[str], num_test: int) -> list[str]:
    """Predict the most frequent training label, of equals the first by name; raises InputError without labels."""
    if not train_labels:
        raise InputError("0 training labels: the majority baseline needs at least one")
    counts = Counter(train_labels)
    return [min(counts, key=lambda label: (-counts[label], label))] * num_test


def tfidf_linear(
    train_texts: Sequence[str], train_labels: Sequence[str], test_texts: Sequence[str], *, seed: int
) -> list[str]:
    """Predict by a linear SVM on TF-IDF of words and word pairs (Wang & Manning 2012, Baselines and bigrams).

    Without any word that two training texts share there is nothing to weigh, and the answer is the majority label.
    Raises InputError when the training texts carry fewer than two labels or are not as many as their labels.
    """
    if len(train_texts) != len(train_labels) or len(set(train_labels)) < 2:
        raise InputError(
            f"{len(train_texts)} training texts with {len(set(train_labels))} labels in {len(train_labels)} rows: "
            "give one label a text, of at least two kinds"
        )
    # A word seen in one text only cannot be told from a misspelling, and such words are most of the vocabulary.
    vectorizer = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), min_df=2)
    if not _shared_words(vectorizer, train_texts):
        return majority(train_labels, len(test_texts))
    classifier = LinearSVC(random_state=seed)
    classifier.fit(vectorizer.fit_transform(train_texts), list(train_labels))
    if not test_texts:
        return []
    return [str(label) for label in classifier.predict(vectorizer.transform(test_texts))]


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
