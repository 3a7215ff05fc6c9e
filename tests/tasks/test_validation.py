"""The gate: real Great Expectations judge the summary, the evidence is written first, and doubt refuses."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from expectations.clean_corpus import clean_corpus
from expectations.labelled_examples import labelled_examples
from expectations.suite import RowRule, Suite, bounded
from expectations.tokenized_corpus import tokenized_corpus
from expectations.verdict import in_words
from lmforge.errors import ContractError
from tasks.validation import scan_labelled, validate

FRAME = pl.LazyFrame({"id": ["a", "b"], "text": ["good text", "bad\x1b text"], "source": ["s.txt"] * 2, "line": [1, 2]})
SUITE = Suite(
    "texts",
    "A reader can start.",
    columns={"id": "text", "text": "text"},
    rules=(RowRule("bad", "text ~ 'bad'", 0.5, "bad texts", key="expectations.texts.max_bad_share"),),
    summary={"mean_characters": "AVG(LENGTH(text))"},
    expectations=(bounded("mean_characters", "mean characters", minimum=1, maximum=100),),
)
STRICT = replace(SUITE, rules=(replace(SUITE.rules[0], max_share=0.0),))


def test_kept_promises_return_the_summary_and_write_it(tmp_path: Path):
    summary = validate(SUITE, FRAME, report=tmp_path / "deep" / "report")
    assert summary.passed
    assert [(outcome.column, outcome.observed, outcome.limit) for outcome in summary.outcomes] == [
        ("num_unfit_columns", 0, "at most 0"),
        ("num_rows", 2, "at least 1"),
        ("mean_characters", 9.0, "between 1 and 100"),
        ("bad_share", 0.5, "at most 0.5"),
    ]
    assert {outcome.verdict for outcome in summary.outcomes} == {"holds"}
    written = json.loads((tmp_path / "deep" / "report" / "validation.json").read_text(encoding="utf-8"))
    assert written == summary.model_dump()
    assert not (tmp_path / "deep" / "report" / "failing_rows.jsonl").exists()


def test_broken_promise_says_what_where_and_how_to_fix_after_writing_the_page(tmp_path: Path):
    with pytest.raises(ContractError) as caught:
        validate(STRICT, FRAME, report=tmp_path)
    assert str(caught.value).splitlines() == [
        "suite texts: 1 of 4 expectations failed; nothing was published",
        "- share of bad texts: got 0.5, expected at most 0",
        r"    id 'b', at s.txt:2, 'bad\x1b text'",
        "  to fix: change `expectations.texts.max_bad_share` in the recipe or mend the data",
        f"Data Docs: {tmp_path / 'data_docs.html'}",
    ]
    assert "Failed" in (tmp_path / "data_docs.html").read_text(encoding="utf-8")
    assert caught.value.exit_code == 3


def test_report_is_deterministic(tmp_path: Path):
    for name in ("one", "two"):
        with pytest.raises(ContractError):
            validate(STRICT, FRAME, report=tmp_path / name)
    for file in ("validation.json", "data_docs.html", "failing_rows.jsonl"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize(
    ("suite", "frame", "reason"),
    [
        (SUITE, FRAME.clear(), "number of rows: got 0, expected at least 1"),
        (replace(SUITE, rules=(), expectations=()), FRAME, "has no expectations"),
        (SUITE, FRAME.drop("text"), "got 1 (text is missing), expected at most 0"),
        (SUITE, FRAME.with_columns(text=pl.lit(7)), "text is Int32, expected text"),
        (
            replace(SUITE, expectations=(bounded("mean_charcters", "misspelt column", minimum=1),)),
            FRAME,
            "misspelt column: got unknown (could not be computed)",
        ),
        (
            replace(SUITE, expectations=(bounded("num_rows", "rows", minimum=1) | {"type": "expect_magic"},)),
            FRAME,
            "Great Expectations does not know expect_magic",
        ),
        (
            replace(SUITE, summary={"mean_characters": "AVG(LENGTH(text)) / 0"}),
            FRAME,
            "mean characters: got unknown (could not be computed)",
        ),
    ],
)
def test_what_cannot_be_decided_is_refused(tmp_path: Path, suite, frame, reason):
    with pytest.raises(ContractError) as caught:
        validate(suite, frame, report=tmp_path)
    assert reason in str(caught.value)
    assert json.loads((tmp_path / "validation.json").read_text(encoding="utf-8"))["passed"] is False


WARNING = replace(STRICT, warn=("max_bad_share",))
CHANGE = replace(
    SUITE,
    ratios={"volume_ratio": "CAST(num_rows AS DOUBLE) / then_num_rows"},
    expectations=(bounded("volume_ratio", "rows against the last run", minimum=0.5, key="a.b", compares=True),),
)


def test_a_warning_is_written_with_its_rows_and_does_not_stop(tmp_path: Path):
    summary = validate(WARNING, FRAME, report=tmp_path)
    assert (summary.passed, summary.num_warnings, summary.num_failing_rows) == (True, 1, 1)
    (outcome,) = [outcome for outcome in summary.outcomes if outcome.verdict != "holds"]
    assert (outcome.verdict, outcome.severity) == ("warns", "warning")
    assert in_words(outcome) == "share of bad texts: got 0.5, expected at most 0"
    page = (tmp_path / "data_docs.html").read_text(encoding="utf-8")
    assert "Passed, 1 warning" in page
    assert 'href="failing_rows.jsonl"' in page


def test_great_expectations_know_the_severity(tmp_path: Path):
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    suite = gx.ExpectationSuite(name="s", expectations=list(WARNING.checks))
    severities = [one.severity.value for one in context.suites.add(suite).expectations]
    assert severities == [check["severity"] for check in WARNING.checks] == ["critical"] * 3 + ["warning"]


def test_a_comparison_without_an_earlier_run_is_shown_as_such(tmp_path: Path):
    summary = validate(CHANGE, FRAME, report=tmp_path)
    outcome = next(outcome for outcome in summary.outcomes if outcome.column == "volume_ratio")
    assert (outcome.verdict, outcome.observed, outcome.detail) == ("not compared", None, "no earlier snapshot")
    page = (tmp_path / "data_docs.html").read_text(encoding="utf-8")
    assert "There is no earlier snapshot to compare with." in page


@pytest.mark.parametrize(
    ("then", "verdict"), [({"then_num_rows": 4}, "holds"), ({"then_num_rows": 5}, "broken"), ({}, "broken")]
)
def test_a_comparison_with_an_earlier_run_is_judged(tmp_path: Path, then, verdict):
    try:
        summary = validate(CHANGE, FRAME, facts=then, report=tmp_path, compared_with="abc")
        assert summary.compared_with == "abc"
        assert verdict == "holds"
    except ContractError as error:
        assert verdict == "broken"
        assert "change `a.b` in the recipe" in str(error)


def test_comparisons_alone_are_no_promise(tmp_path: Path):
    suite = Suite("facts", "p", expectations=CHANGE.expectations)
    with pytest.raises(ContractError, match="has no expectations"):
        validate(suite, None, report=tmp_path)


def test_failing_rows_are_exported_up_to_the_limit_also_when_the_run_stops(tmp_path: Path):
    count = 50
    columns = {
        "id": [f"d{n}" for n in range(count)],
        "text": ["bad"] * count,
        "source": "s",
        "line": list(range(count)),
    }
    with pytest.raises(ContractError) as caught:
        validate(STRICT, pl.LazyFrame(columns), report=tmp_path, max_failing_rows=7)
    rows = [json.loads(line) for line in (tmp_path / "failing_rows.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [f"'d{n}'" for n in range(7)]
    assert rows[0] == {"rule": "bad", "id": "'d0'", "place": "s:0", "note": "", "excerpt": "'bad'"}
    assert str(caught.value).count("    id ") == 3
    validate(replace(STRICT, rules=()), pl.LazyFrame(columns), report=tmp_path)
    assert not (tmp_path / "failing_rows.jsonl").exists()


def test_no_rows_are_exported_where_the_recipe_wants_none(tmp_path: Path):
    with pytest.raises(ContractError, match="id 'b'"):
        validate(STRICT, FRAME, report=tmp_path, max_failing_rows=0)
    assert not (tmp_path / "failing_rows.jsonl").exists()


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202e</code><script>alert(1)</script>\u2028\r\nFAKE bad"


def test_hostile_text_is_escaped_in_the_page_the_error_and_the_rows(tmp_path: Path):
    frame = pl.LazyFrame({"id": [HOSTILE, "b"], "text": [HOSTILE, "good"], "source": [HOSTILE, "s"], "line": [1, 2]})
    with pytest.raises(ContractError) as caught:
        validate(STRICT, frame, report=tmp_path)
    assert all(line.isprintable() for line in str(caught.value).split("\n"))
    for name in ("validation.json", "failing_rows.jsonl", "data_docs.html"):
        text = (tmp_path / name).read_bytes().decode("utf-8")
        assert all(line.isprintable() for line in text.split("\n")), name
        assert name != "data_docs.html" or "<script" not in text
    assert len((tmp_path / "failing_rows.jsonl").read_text(encoding="utf-8").splitlines()) == 1


def test_text_of_a_private_rule_is_nowhere(tmp_path: Path):
    suite = replace(STRICT, rules=(replace(STRICT.rules[0], private=True),))
    with pytest.raises(ContractError) as caught:
        validate(suite, FRAME, report=tmp_path)
    assert "id 'b', at s.txt:2" in str(caught.value)
    assert "bad\\x1b" not in str(caught.value)
    assert not [
        path for path in tmp_path.iterdir() if "bad\\x1b" in path.read_text(encoding="utf-8").replace("\\\\", "\\")
    ]
    assert "not shown" in (tmp_path / "data_docs.html").read_text(encoding="utf-8")


def test_table_and_facts_are_not_confused(tmp_path: Path):
    with pytest.raises(ValueError, match="judges a table"):
        validate(SUITE, None, report=tmp_path)
    with pytest.raises(ValueError, match="judges facts alone"):
        validate(tokenized_corpus(), FRAME, report=tmp_path)


def test_parquet_shards_are_judged_as_one_table(tmp_path: Path):
    for shard in range(3):
        numbers = range(shard * 50, shard * 50 + 50)
        pl.DataFrame(
            {
                "id": [f"d{number}" for number in numbers],
                "text": [f"a small text number {number % 120}" for number in numbers],
                "source": "a.jsonl",
                "line": list(numbers),
                "language": "en",
                "num_chars": 20,
                "num_words": 5,
                "repaired": False,
                "split": ["validation"] + ["train"] * 49,
            }
        ).write_parquet(tmp_path / f"part-{shard:05}.parquet")
    frame = pl.scan_parquet(tmp_path / "part-*.parquet")
    with pytest.raises(ContractError, match=r"share of documents with the text of an earlier one: got 0\.2, "):
        validate(clean_corpus(), frame, facts={"num_raw_documents": 150}, report=tmp_path)
    tolerant = clean_corpus(max_duplicate_share=0.2)
    facts = {"num_raw_documents": 150, "repetitive_share": 0.0}
    assert validate(tolerant, frame, facts=facts, report=tmp_path).passed


def test_labelled_files_become_one_table_with_their_split(tmp_path: Path):
    for offset, split in enumerate(("train", "validation", "test")):
        numbers = [offset * 10 + number for number in range(10)]
        rows = {"id": [f"e{n}" for n in numbers], "text": [f"text {n}" for n in numbers], "group": numbers}
        pl.DataFrame(rows | {"label": ["x", "y"] * 5}).write_parquet(tmp_path / f"{split}.parquet")
    frame = scan_labelled(tmp_path)
    assert frame.collect().group_by("split").len().sort("split")["len"].to_list() == [10, 10, 10]
    suite = labelled_examples(min_train_examples=10, min_test_examples=10)
    assert validate(suite, frame, facts={"repetitive_share": 0.0}, report=tmp_path / "report").passed


def test_threads_do_not_mix_their_verdicts(tmp_path: Path):
    def passes(number: int) -> bool:
        try:
            return validate(STRICT if number % 2 else SUITE, FRAME, report=tmp_path / str(number)).passed
        except ContractError:
            return False

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(passes, range(8))) == [True, False] * 4


def test_judging_prints_nothing(tmp_path: Path, capfd, caplog):
    with caplog.at_level(logging.INFO):
        validate(SUITE, FRAME, report=tmp_path)
    assert capfd.readouterr() == ("", "")
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
