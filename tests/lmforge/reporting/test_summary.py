"""The summary of a run, as a newcomer reads it at 80 columns."""

import io

import pytest
from rich.console import Console

from lmforge.explaining import FIRST
from lmforge.home import Home
from lmforge.reporting.lines import count_words, reason_words, size_words, stage_line
from lmforge.reporting.results import base_table, results_table
from lmforge.reporting.summary import print_summary

COUNTS = {"read": 34169, "kept": 11179, "repaired": 20686, "quarantined": 2304, "unit": "records"}
COUNTS["reasons"] = {"duplicate": 1800, "too_short": 500, "other_language": 3, "empty": 1}
NOTHING = {"read": 0, "kept": 0, "repaired": 0, "quarantined": 0, "unit": "records", "reasons": {}}


def score(value):
    return {"macro_f1": {"low": value - 0.03, "value": value, "high": value + 0.03}}


def stage(name, cached, why=FIRST, counts=NOTHING):
    return {"name": name, "cached": cached, "seconds": 7.14, "why": why, "counts": counts, "size_bytes": 3_800_000}


DOCUMENT = {
    "run_id": "f" * 32,
    "experiment_id": "1",
    "recipe": "recipes/quickstart.yaml",
    "stages": [
        stage("clean", True, counts=COUNTS),
        stage("finetune-section", False, "finetuning.learning_rate: 0.001 to 0.002"),
        stage("evaluate-section", False),
    ],
    "language": {"num_predicted_tokens": 7000, "model": {"loss": 4.5}, "floors": {"unigram": 6.5, "5-gram": 3.9}},
    "tasks": [
        {
            "task": "section",
            "metric": "macro_f1",
            "num_test_examples": 1251,
            "learning_rate": 2e-3,
            "metrics": score(0.7),
            "baselines": {"majority": score(0.05), "tfidf_linear": score(0.8)},
            "registered_model": "quickstart-section",
            "version": "2",
            "aliases": ["challenger", "champion"],
            "summary": "improved: gain +0.03",
        }
    ],
}


@pytest.fixture
def text(tmp_path):
    output = io.StringIO()
    home = Home(project=tmp_path, path=tmp_path / ".lmforge")
    print_summary(DOCUMENT, home, Console(file=output, width=80, highlight=False))
    return output.getvalue()


def test_each_stage_has_a_line_with_its_counts(text):
    (line,) = [line for line in text.splitlines() if line.startswith("clean  ")]
    assert line.split() == ["clean", "cached", "7.1", "34,169", "11,179", "20,686", "2,304", "3.8", "MB"]
    assert "clean set aside: 1,800 duplicate, 500 too_short, 3 other_language, 1 empty" in text


def test_says_what_was_reused_and_what_ran_and_why(text):
    assert "cached: same settings, inputs and code" in text
    assert "finetune-section ran because finetuning.learning_rate: 0.001 to 0.002" in text
    assert "evaluate-section ran because" not in text, "a first run needs no reason"


def test_results_are_ordered_whoever_wins(text):
    names = [line.strip() for line in text.splitlines() if "95 % interval" in line]
    assert [name.split("  ")[0] for name in names] == ["TF-IDF + linear", "this model", "majority class"]
    assert "registered as quickstart-section version 2 (challenger, champion)" in text


def test_language_model_stands_beside_its_floors_whoever_wins(text):
    start = text.index("language model: nats a token on 7,000 held-out tokens")
    rows = [line.split() for line in text[start:].splitlines()[1:4]]
    assert rows == [["5-gram", "counts", "3.900"], ["this", "model", "4.500"], ["unigram", "counts", "6.500"]]


def test_bits_per_byte_stand_beside_the_losses_of_a_causal_model(tmp_path):
    language = DOCUMENT["language"] | {
        "model": {"loss": 4.5, "bits_per_byte": 1.623},
        "floor_bits_per_byte": {"unigram": 2.344, "5-gram": 1.407},
    }
    output = io.StringIO()
    home = Home(project=tmp_path, path=tmp_path / ".lmforge")
    print_summary(DOCUMENT | {"language": language}, home, Console(file=output, width=80, highlight=False))
    rows = [" ".join(line.split()) for line in output.getvalue().splitlines() if "bits a byte" in line]
    assert rows == [
        "5-gram counts 3.900 1.407 bits a byte",
        "this model 4.500 1.623 bits a byte",
        "unigram counts 6.500 2.344 bits a byte",
    ]


def test_names_the_page_and_what_to_try_next(text):
    assert "#/experiments/1/runs/" + "f" * 32 in text
    assert "lmforge up" in text
    assert "lmforge run recipes/quickstart.yaml --set tasks.section.finetuning.learning_rate=0.001" in text


def test_tables_fit_80_columns(text):
    commands = ("  lmforge", "  http", "This run", "Everything", "finetune-section ran", "clean set", "cached:")
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines() if not line.startswith(commands))


def test_markdown_of_the_user_interfaces_has_the_same_numbers():
    table = results_table(DOCUMENT["tasks"][0])
    assert "| this model | 0.700 | 0.670 to 0.730 |" in table
    assert "quickstart-section version 2" in table


def test_lines_leave_out_what_is_zero():
    assert count_words(COUNTS) == "34,169 records, 11,179 kept, 20,686 repaired, 2,304 quarantined"
    assert stage_line(stage("collect", False)) == "collect            done      7.1 s  3.8 MB"
    assert reason_words({"a": 1, "b": 5, "c": 2, "d": 3, "e": 4}) == "5 b, 4 e, 3 d, 2 c, 1 for other reasons"
    assert [size_words(size) for size in (12, 1200, 3_400_000, 5_600_000_000)] == ["12 B", "1.2 kB", "3.4 MB", "5.6 GB"]


def test_a_released_base_model_stands_beside_its_floors_with_its_verdict(tmp_path):
    base = {
        "metric": "bits_per_byte", "value": 1.5, "floors": {"unigram": 2.0, "5-gram": 1.4}, "num_documents": 500,
        "registered_model": "words-base", "version": "3", "aliases": ["challenger"],
        "summary": "refused: 1.5000 bits_per_byte is not better than 5-gram with 1.4000 bits_per_byte",
        "next": "needs a person",
    }  # fmt: skip
    output = io.StringIO()
    home = Home(project=tmp_path, path=tmp_path / ".lmforge")
    document = DOCUMENT | {"base": base, "tasks": []}
    print_summary(document, home, Console(file=output, width=80, highlight=False))
    text = output.getvalue()
    start = text.index("base model: bits per byte on 500 held-out documents, less is better")
    rows = [line.split() for line in text[start:].splitlines()[1:4]]
    assert rows == [["5-gram", "counts", "1.400"], ["this", "model", "1.500"], ["unigram", "counts", "2.000"]]
    assert "  registered as words-base version 3 (challenger)\n  refused: 1.5000" in text
    assert "  needs a person\n" in text
    assert "| 5-gram counts | 1.400 |" in base_table(base)


def test_a_version_that_waits_for_a_person_says_how_to_go_on(tmp_path):
    following = 'needs a person: lmforge approve quickstart-section/2 --reason "...", then lmforge promote'
    task, output = DOCUMENT["tasks"][0] | {"next": following}, io.StringIO()
    home = Home(project=tmp_path, path=tmp_path / ".lmforge")
    print_summary(DOCUMENT | {"tasks": [task]}, home, Console(file=output, width=80, highlight=False))
    assert f"  improved: gain +0.03\n  {following}\n" in output.getvalue()
    assert results_table(task).endswith(f"\n\nIt {following}")


def test_the_same_again_has_what_was_set(tmp_path):
    output = io.StringIO()
    home = Home(project=tmp_path, path=tmp_path / ".lmforge")
    print_summary(DOCUMENT, home, Console(file=output, width=80, highlight=False), ["name=a b", "seed=7"])
    lines = output.getvalue().splitlines()
    again = f"lmforge run {DOCUMENT['recipe']} --set 'name=a b' --set seed=7"
    assert f"  {again}" in lines
    assert any(line.startswith(f"  {again} --set tasks.section") for line in lines)


def test_the_next_version_is_given_one_learning_rate(tmp_path):
    output = io.StringIO()
    home = Home(project=tmp_path, path=tmp_path / ".lmforge")
    rate = "tasks.section.finetuning.learning_rate"
    print_summary(DOCUMENT, home, Console(file=output, width=80, highlight=False), ["seed=7", f"{rate}=0.25"])
    same, changed = (line for line in output.getvalue().splitlines() if line.startswith("  lmforge run "))
    assert same.endswith(f"--set seed=7 --set {rate}=0.25")
    assert changed.count(rate) == 1 and "--set seed=7" in changed and "0.25" not in changed
