"""An n-gram model in plain Python, written from the formulas: what the quick one is held against."""

from collections import Counter, defaultdict

import numpy as np
import pytest

START, VOCAB = 0, 30


class PlainModel:
    """Interpolated modified Kneser-Ney over tuples of tokens; `order` tokens an n-gram, none beyond a START."""

    def __init__(self, stream, vocab_size, order):
        self.vocab_size, self.order = vocab_size, order
        raw = [Counter() for _ in range(order + 1)]
        begin = 0
        for at in range(len(stream)):
            begin = at - 1 if at and stream[at - 1] == START else begin
            for length in range(1, min(order, at - begin + 1) + 1):
                raw[length][tuple(stream[at - length + 1 : at + 1])] += 1
        self.tables = {}
        for length in range(1, order + 1):
            before = Counter(gram[1:] for gram in raw[length + 1]) if length < order else {}
            adjusted = {gram: before.get(gram) or count for gram, count in raw[length].items()}
            self.tables[length] = {True: table(raw[length]), False: table(adjusted)}

    def probability(self, context, token, answers=True):
        """p(token | context); answers: whether this order is asked, not backed off to."""
        if len(context) >= self.order:
            return self.probability(context[1 - self.order :] if self.order > 1 else (), token)
        lower = self.probability(context[1:], token, False) if context else 1 / self.vocab_size
        discounts, following = self.tables[len(context) + 1][answers]
        counts = following.get(context)
        if counts is None:
            return lower
        total, count = sum(counts.values()), counts.get(token, 0)
        escape = sum(discounts[min(one, 3)] for one in counts.values()) / total
        return (count - discounts[min(count, 3)]) / total + escape * lower

    def posterior(self, left, right):
        """p(word | left, right) for every word, by multiplying out all that follows the word."""
        joint = []
        for word in range(self.vocab_size):
            value, context = self.probability(left, word), (*left, word)
            for token in right:
                value *= self.probability(context[1 - self.order :] if self.order > 1 else (), token)
                context = (*context, token)
            joint.append(value)
        return np.array(joint) / sum(joint)


def table(counts):
    """Discounts by count up to 3, and the counts by context."""
    sizes = Counter(counts.values())
    n1, n2, n3, n4 = (sizes[size] for size in (1, 2, 3, 4))
    discounts = (0.0, 0.5, 1.0, 1.5)
    if n1 and n2 and n3:
        y = n1 / (n1 + 2 * n2)
        found = (0.0, 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
        discounts = found if min(found[1:]) > 0 else discounts
    following = defaultdict(dict)
    for gram, count in counts.items():
        following[gram[:-1]][gram[-1]] = count
    return discounts, dict(following)


def make_stream(num_tokens=4000, seed=0):
    """Documents that begin with START: Zipf noise in which two tokens often decide the next, so that counts vary."""
    generator = np.random.default_rng(seed)
    shares = 1 / np.arange(1, VOCAB)
    noise = generator.choice(np.arange(1, VOCAB), size=num_tokens, p=shares / shares.sum())
    stream, decided = noise.copy(), generator.random(num_tokens) < 0.6
    for at in range(2, num_tokens):
        if decided[at]:
            stream[at] = 1 + (stream[at - 1] * 7 + stream[at - 2] * 3) % (VOCAB - 1)
        if at % 37 == 0:
            stream[at] = START
    stream[0] = START
    return stream.astype(np.uint16)


@pytest.fixture(scope="session")
def stream():
    return make_stream


@pytest.fixture(scope="session")
def plain():
    return PlainModel
