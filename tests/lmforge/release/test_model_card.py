"""The card: front matter that parses, every fact stated, and text from data that stays text."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from lmforge.artifacts.artifact import Counts
from lmforge.release.card_facts import CardFacts, Result, TrainingData
from lmforge.release.model_card import model_card

COUNTS = Counts(read=1100, kept=900, repaired=100, quarantined=100, reasons={"too_short": 30, "duplicate": 70})


def facts(**changes):
    known = {
        "registered_model": "news-topic",
        "pipeline_tag": "text-classification",
        "objective": "names the topic of a message",
        "languages": ("en", "no"),
        "labels": ("games", "mail"),
        "architecture": {"architecture": "modernbert", "hidden_size": 128},
        "num_parameters": 1_234_567,
        "data": (TrainingData(purpose="pre-training", sources=("data/a.jsonl",), counts=COUNTS),),
        "tokenizer": {"kind": "wordpiece", "vocab_size": 8192},
        "pretraining": {"max_steps": 100, "learning_rate": 0.001},
        "finetuning": {"max_steps": 50},
        "num_test_examples": 2000,
        "results": (
            Result(system="this model", metric="macro_f1", value=0.81234, low=0.79, high=0.83),
            Result(system="majority", metric="macro_f1", value=0.1),
        ),
        "language_losses": {"this model": 3.2, "5-gram": 4.5},
        "verdict": "first version",
        "limits": ("Only short texts were seen.",),
        "fingerprints": {"clean_corpus": "ab" * 32},
    }
    return CardFacts(**known | changes)


def front_matter(card):
    return YAML(typ="safe").load(card.split("---\n")[1])


def test_front_matter_is_what_hubs_read():
    assert front_matter(model_card(facts())) == {
        "library_name": "transformers",
        "pipeline_tag": "text-classification",
        "language": ["en", "no"],
        "tags": ["lmforge", "modernbert"],
        "metrics": ["f1"],
    }


@pytest.mark.parametrize(
    "stated",
    [
        "1,234,567 parameters",
        "one of 2 labels: games, mail",
        "AutoModelForSequenceClassification.from_pretrained",
        "models:/news-topic@champion",
        "lmforge predict",
        "| 1,100 | 900 | 100 | 100 |",
        "| duplicate | 70 |\n| too\\_short | 30 |",
        "| vocab\\_size | 8192 |",
        "| learning\\_rate | 0.001 |",
        "On the test set of 2,000 examples",
        "| this model | macro\\_f1 | 0.8123 | 0.7900 to 0.8300 |",
        "| majority | macro\\_f1 | 0.1000 | not computed |",
        "| 5-gram | 4.5000 |",
        "Verdict of the release gate: first version",
        "- Only short texts were seen.",
        "not measured",
        f"| clean\\_corpus | {'ab' * 32} |",
    ],
)
def test_every_fact_is_stated(stated):
    assert stated in model_card(facts())


def test_absent_parts_leave_no_empty_heading():
    card = model_card(facts(pretraining={}, results=(), language_losses={}, pipeline_tag="fill-mask", labels=()))
    headings = re.findall(r"^## (.*)$", card, re.MULTILINE)
    assert "Pre-training" not in headings
    assert "Results" not in headings
    assert "AutoModelForMaskedLM" in card
    assert "lmforge predict" not in card
    assert "metrics" not in front_matter(card)


def test_example_code_is_python():
    examples = re.findall(r"```python\n(.*?)```", model_card(facts()), re.DOTALL)
    assert examples
    for code in examples:
        compile(code, "card", "exec")


HOSTILE = [
    "<script>alert(1)</script>",
    "[click](javascript:alert(1))",
    "a | b",
    "line\n\n# heading\n---\n",
    "`code`",
    "![x](http://example.org/x.png)",
    "# heading",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_text_from_data_stays_text(text):
    card = model_card(facts(labels=(text, "b"), limits=(text,), fingerprints={text: "0"}))
    structure = re.findall(r"^(?:#+ |---$|```).*$", card, re.MULTILINE)
    assert structure == re.findall(r"^(?:#+ |---$|```).*$", model_card(facts()), re.MULTILINE)
    assert "<script" not in card
    assert not re.search(r"(?<!\\)\[click|(?<!\\)`code|- # heading|(?<!\\)!\[", card)


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=300))
def test_any_text_keeps_front_matter_and_tables_whole(text):
    card = model_card(facts(languages=(text,), fingerprints={text: text}))
    printable = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    assert front_matter(card)["language"][0][:197] == printable[:197]
    last_row = card.rstrip("\n").splitlines()[-1]
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", last_row)) == 3
    assert len(last_row) < 2000


def test_the_same_facts_give_the_same_card():
    assert model_card(facts()) == model_card(facts())
