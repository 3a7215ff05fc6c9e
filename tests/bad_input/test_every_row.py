"""Every kind of bad input that the data stages promise to withstand has a case; a new kind is added here first."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.bad_input import (
    archive_cases,
    clean_cases,
    collect_cases,
    heavy_cases,
    recipe_cases,
    test_clean,
    test_collect,
    test_label,
    test_recipe,
    test_tokenize,
    test_validate,
)

# What is tested by a function of its own, or by a table of another shape, names it.
ROWS: dict[str, object] = {
    "collect: invalid UTF-8": "invalid_utf8",
    "collect: byte order mark": "bom",
    "collect: UTF-16, UTF-32": "utf16",
    "collect: NUL bytes": "nul_bytes",
    "collect: a line of 100 MB": "long_line",
    "collect: a CSV field beyond 131,072": "csv_field",
    "collect: ragged CSV": "csv_ragged",
    "collect: a repeated CSV header": "csv_header",
    "collect: CSV formulas": "csv_formula",
    "collect: NaN, Infinity, 1e999": "json_constants",
    "collect: an integer of 5,000 digits": "json_integer",
    "collect: JSON 100,000 deep": "json_depth",
    "collect: arrays, pretty-printing, a truncated end": "json_shape",
    "collect: mixed types": "mixed_types",
    "collect: extra and missing columns": "columns",
    "collect: empty file": "empty_file",
    "collect: truncated gzip": "gz_truncated",
    "collect: gzip with a tail": "gz_tail",
    "collect: bombs": "bombs",
    "collect: names of members": "member_names",
    "collect: links and devices in archives": "member_kinds",
    "collect: a file that changes": test_collect.test_a_file_that_changes_while_it_is_read_stops,
    "collect: an unreadable file": "unreadable",
    "collect: a disk error": test_collect.test_a_disk_that_cannot_be_read_stops_with_its_reason,
    "collect: URLs": test_collect.URLS,
    "collect: answers of servers": test_collect.ANSWERS,
    "collect: damaged Parquet": "parquet_damaged",
    "collect: one bit of Parquet": "bit_flip",
    "collect: types of Parquet": "parquet_types",
    "collect: a huge row group": "wide_rows",
    "collect: pickled data": "pickled",
    "data: a dataset script": test_collect.test_a_dataset_that_brings_a_program_is_not_run,
    "data: a folder's metadata": "folder_metadata",
    "clean: one text only": test_clean.test_a_corpus_of_one_text_stops,
    "clean: near duplicates between splits": (
        test_label.test_near_duplicates_between_the_splits_leave_training_and_name_what_stays
    ),
    "clean: label leaks": test_label.LEAKS,
    "clean: one class, rare classes": test_label.test_a_class_with_less_than_k_examples_is_refused_with_a_table,
    "clean: 10,000 to 1": test_label.test_a_class_of_ten_thousand_to_one_is_refused_with_a_table,
    "clean: labels unseen or misspelt": test_label.STOPPING,
    "clean: blank text": "blank_text",
    "clean: control characters": "control",
    "clean: bidirectional and invisible characters": "invisible",
    "clean: homoglyphs": "homoglyphs",
    "clean: emoji and stacked accents": "emoji",
    "clean: mojibake": "mojibake",
    "clean: HTML": "html",
    "clean: markup, code, base64": "markup",
    "clean: other languages": "language",
    "clean: personal data": "personal_data",
    "clean: secrets": "secrets",
    "clean: traps for patterns": "patterns",
    "clean: a million repeats": "repeats",
    "validate: nothing to judge": test_validate.EMPTY,
    "validate: numbers that are none": test_validate.IMPOSSIBLE,
    "tokenize: impossible vocabularies": test_tokenize.STOPPING,
    "tokenize: ids beyond the vocabulary": test_tokenize.DAMAGE,
    "config: keys, types, contradictions": "keys",
    "config: YAML bombs": "bomb",
    "config: expansion": "expansion",
    "config: paths": recipe_cases.PATHS,
    "config: numbers out of range": "range",
    "env: surprising variables": test_recipe.SURPRISING,
    "names: hostile names": recipe_cases.NAMES,
}
TABLES = (
    collect_cases.CASES,
    archive_cases.CASES,
    clean_cases.CASES,
    recipe_cases.CASES,
    list(heavy_cases.CASES.values()),
)
NUM_CASES = Counter(case.row for table in TABLES for case in table)


@pytest.mark.parametrize("row", ROWS)
def test_a_row_has_a_case(row: str) -> None:
    tested = ROWS[row]
    if isinstance(tested, str):
        assert NUM_CASES[tested] > 0
    else:
        assert callable(tested) or len(tested) > 0  # type: ignore[arg-type]


def test_every_case_belongs_to_a_row() -> None:
    assert set(NUM_CASES) <= set(map(str, ROWS.values()))


def test_no_two_cases_of_a_table_are_called_alike() -> None:
    names = Counter((case.row, case.name) for table in TABLES[:4] for case in table)  # type: ignore[union-attr]
    assert [name for name, number in names.items() if number > 1] == []
