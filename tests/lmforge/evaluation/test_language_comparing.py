"""Two language models are compared where one number means the same of both, and nowhere else."""

import polars as pl
import pytest

from lmforge.errors import RefusedError
from lmforge.evaluation.language_comparing import Contender, require_comparable
from lmforge.recipe.schema import Tokenizer
from lmforge.tokenization.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def documents(descriptions):
    rows = [(row["id"], row["description"]) for row in descriptions[:30]]
    return pl.DataFrame(
        [*rows, ("odd", "Zürich\n\t[SEP]  naïve \u4e2d\u6587 \U0001f600")], schema=["id", "text"], orient="row"
    )


@pytest.fixture(scope="module")
def tokenizers(tmp_path_factory, descriptions):
    texts = [row["description"] for row in descriptions]
    kinds = {
        "bpe": Tokenizer(kind="bpe", vocab_size=400),
        "larger": Tokenizer(kind="bpe", vocab_size=500),
        "folded": Tokenizer(kind="bpe", vocab_size=450, lowercase=True),
        "wordpiece": Tokenizer(kind="wordpiece", vocab_size=600),
    }
    made = {name: tmp_path_factory.mktemp(name) for name in kinds}
    for name, settings in kinds.items():
        train_tokenizer(texts, settings, 32, made[name])
    return made


@pytest.mark.parametrize(
    ("first", "second", "objectives"),
    [
        ("bpe", "larger", ("causal_lm", "causal_lm")),
        ("wordpiece", "wordpiece", ("causal_lm", "causal_lm")),
        ("wordpiece", "wordpiece", ("masked_lm", "masked_lm")),
        ("bpe", "bpe", ("contrastive_masked_lm", "masked_lm")),
        ("bpe", "bpe", ("span_corruption", "span_corruption")),
    ],
)
def test_what_means_the_same_is_compared(tokenizers, documents, first, second, objectives):
    pair = [Contender("m/1", what, tokenizers[name]) for what, name in zip(objectives, (first, second), strict=True)]
    assert require_comparable(*pair, documents) is None


@pytest.mark.parametrize(
    ("first", "second", "objectives", "message"),
    [
        ("bpe", "bpe", ("masked_lm", "causal_lm"), "measured by masked_lm, the champion by causal_lm"),
        ("bpe", "bpe", ("causal_lm", None), "m/1 has no tag that says how it was trained"),
        ("bpe", "larger", ("masked_lm", "masked_lm"), "what a hidden token costs depends on what a token is"),
        ("bpe", "folded", ("causal_lm", "causal_lm"), r"that of m/1 does not keep all of a text \(document "),
        ("wordpiece", "bpe", ("causal_lm", "causal_lm"), "that of m/2 does not keep all of a text"),
    ],
)
def test_what_does_not_is_refused_with_how_to_go_on(tokenizers, documents, first, second, objectives, message):
    challenger = Contender("m/2", objectives[0], tokenizers[first])
    champion = Contender("m/1", objectives[1], tokenizers[second])
    with pytest.raises(RefusedError, match=message) as raised:
        require_comparable(challenger, champion, documents)
    assert "model.from: models:/m/1" in str(raised.value)
