"""Only what differs is named, what differs stays different on screen, and everything fits a terminal."""

from __future__ import annotations

import pytest

from lmforge.reporting.comparison import compare, flatten, render_comparison, render_runs, task_row

FIRST_ID, SECOND_ID = "3f2a9c1b" + "0" * 24, "7b11ee02" + "0" * 24


def score(value, spread=0.02):
    return {"low": value - spread, "value": value, "high": value + spread, "confidence": 0.95}


def task(name="section", value=0.7, **changes):
    document = {
        "task": name,
        "metric": "macro_f1",
        "metrics": {"macro_f1": score(value), "accuracy": score(0.8)},
        "baselines": {"majority": {"macro_f1": score(0.1)}},
        "num_test_examples": 1234,
        "registered_model": f"quickstart-{name}",
        "version": "1",
        "aliases": ["challenger"],
        "verdict": "first version",
        "decided_earlier": False,
    }
    return document | changes


def facts(run_id=FIRST_ID, **changes):
    run = {
        "run_id": run_id,
        "recipe": "quickstart",
        "started": "2026-11-20T08:05:59+01:00",
        "seconds": 250.0,
        "status": "finished",
        "code": {"git_commit": "a" * 40},
        "parameters": {"seed": 42, "tasks.section.finetuning.learning_rate": 0.0005},
        "stages": {"collect": "1" * 64, "pretrain": "2" * 64},
        "timings": {"collect": 3.0, "pretrain": 200.0},
        "language": {},
        "tasks": [task()],
    }
    return run | changes


def row(**changes):
    return {"run_id": FIRST_ID, "recipe": "quickstart", "started": "2026-11-20T08:05:59+01:00", "seconds": 250.0} | {
        "status": "finished",
        "overrides": None,
        "language": {},
        "tasks": [task_row(task(), ["champion"])],
        **changes,
    }


def widest(text):
    return max(map(len, text.splitlines()))


def test_runs_that_are_alike_differ_in_nothing_even_if_times_and_bookkeeping_do():
    later = facts(
        SECOND_ID, started="2026-11-21T09:00:00+01:00", seconds=2.0, timings={"collect": 0.1, "pretrain": 0.1}
    )
    later["tasks"] = [task(decided_earlier=True, aliases=["champion"])]
    document = compare([facts(), later])
    assert document["differs"] is False
    assert document["differences"] == {}
    assert render_comparison(document).splitlines()[-1] == "nothing differs"


def test_only_what_differs_is_named():
    changed = {"seed": 42, "tasks.section.finetuning.learning_rate": 0.001}
    second = facts(
        SECOND_ID,
        code={"git_commit": "b" * 40},
        parameters=changed,
        stages={"collect": "1" * 64, "pretrain": "3" * 64},
        tasks=[task(value=0.75, verdict="improved", version="2")],
    )
    assert compare([facts(), second])["differences"] == {
        "code": {"git_commit": ["a" * 40, "b" * 40]},
        "recipe": {"tasks.section.finetuning.learning_rate": [0.0005, 0.001]},
        "stages": {"pretrain": ["2" * 64, "3" * 64]},
        "task section": {
            "verdict": ["first version", "improved"],
            "version": ["quickstart-section 1", "quickstart-section 2"],
            "test/macro_f1": [score(0.7), score(0.75)],
        },
    }


def test_a_difference_of_the_baselines_is_named_as_in_the_tracker():
    second = facts(SECOND_ID, tasks=[task(baselines={"majority": {"macro_f1": score(0.2)}})])
    assert compare([facts(), second])["differences"] == {
        "task section": {"baseline/majority/macro_f1": [score(0.1), score(0.2)]}
    }


def test_what_one_run_lacks_is_a_difference():
    stopped = facts(SECOND_ID, status="failed", tasks=[], stages={"collect": "1" * 64})
    found = compare([facts(), stopped])["differences"]
    assert found["run"] == {"status": ["finished", "failed"]}
    assert found["stages"] == {"pretrain": ["2" * 64, None]}
    assert found["task section"]["verdict"] == ["first version", None]


def test_three_runs_differ_when_the_last_one_does():
    third = facts("9" * 32, parameters={"seed": 7})
    found = compare([facts(), facts(SECOND_ID), third])["differences"]["recipe"]
    assert found["seed"] == [42, 42, 7]


def test_text_of_two_runs():
    second = facts(
        SECOND_ID,
        started="2026-11-21T09:00:00+01:00",
        code={"git_commit": "b" * 40},
        parameters={"seed": 42, "tasks.section.finetuning.learning_rate": 0.001},
        tasks=[task(value=0.75)],
    )
    interval = {"low": 0.0312, "value": 0.05, "high": 0.0698, "confidence": 0.95}
    gain = {"metric": "macro_f1", "gain": 0.05, "interval": interval, "num_examples": 1234}
    address = {"url": "http://127.0.0.1:5000/#/compare-runs", "running": False}
    document = compare([facts(), second]) | {"gains": {"section": gain}, "mlflow": address}
    assert render_comparison(document) == "\n".join(
        [
            "run                          3f2a9c1b                 7b11ee02",
            "started                      2026-11-20 08:05         2026-11-21 09:00",
            "",
            "code",
            "  git_commit                 aaaaaaaaaaaa             bbbbbbbbbbbb",
            "",
            "recipe",
            "  tasks.section.finetuning.learning_rate",
            "                             0.0005                   0.001",
            "",
            "task section",
            "  test/macro_f1              0.700 (0.680 to 0.720)   0.750 (0.730 to 0.770)",
            "",
            "task section: 7b11ee02 minus 3f2a9c1b, on the same 1,234 test examples",
            "  macro_f1 +0.0500 (95 % interval +0.0312 to +0.0698): better",
            "",
            "The same in MLflow (start it first: lmforge up):",
            "http://127.0.0.1:5000/#/compare-runs",
        ]
    )


@pytest.mark.parametrize(
    ("low", "high", "words"), [(0.01, 0.02, "better"), (-0.02, -0.01, "worse"), (-0.01, 0.02, "within noise")]
)
def test_a_gain_is_called_what_its_interval_allows(low, high, words):
    interval = {"low": low, "high": high}
    gain = {"metric": "accuracy", "gain": (low + high) / 2, "interval": interval, "num_examples": 10}
    text = render_comparison(compare([facts(), facts(SECOND_ID)]) | {"gains": {"section": gain}})
    assert text.endswith(f": {words}")


def test_a_missing_pairing_is_explained_and_a_running_tracker_needs_no_hint():
    more = {
        "gains": {"section": {"reason": "the runs have different test sets"}},
        "mlflow": {"url": "u", "running": True},
    }
    text = render_comparison(compare([facts(), facts(SECOND_ID)]) | more)
    assert "task section: not compared example by example: the runs have different test sets" in text
    assert text.endswith("The same in MLflow:\nu")


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (score(0.70001), score(0.70002), "0.700010 (0.680010 to 0.720010)"),
        (0.1, 0.1 + 2**-56, "0.1                      0.10000000000000002"),
        (True, "true", "True                     true"),
        (["en"], ["en", "de"], "['en', 'de']"),
    ],
)
def test_rounding_never_hides_a_difference(first, second, shown):
    text = render_comparison(compare([facts(parameters={"k": first}), facts(SECOND_ID, parameters={"k": second})]))
    assert shown in text


def test_seconds_are_shown_only_on_request():
    document = compare([facts(), facts(SECOND_ID, timings={"collect": 4.5})])
    assert "pretrain" not in render_comparison(document)
    text = render_comparison(document, timings=True)
    assert "  collect                    3                        4.5" in text
    assert "  pretrain                   200                      -" in text


@pytest.mark.parametrize("num_runs", [2, 3, 5, 12])
def test_comparisons_of_any_number_of_runs_fit_80_columns(num_runs):
    key = "corpus.sources.0.a_very_long_key_that_never_ends.nor_does_this_second_part_of_it.or_this_third_part"
    runs = [
        facts(f"{number:032x}", parameters={key: f"data/{'x' * 90}/{number}.jsonl"}, tasks=[task(value=number / 20)])
        for number in range(num_runs)
    ]
    text = render_comparison(compare(runs))
    assert widest(text) <= 80
    assert text.count(".jsonl") == num_runs


def test_terminal_escapes_of_a_recipe_do_not_reach_the_screen():
    runs = [facts(parameters={"\x1b[2J": "\x1b[31m"}), facts(SECOND_ID, parameters={})]
    text = render_comparison(compare(runs))
    assert "\x1b" not in text and r"\x1b[31m" in text


def test_keys_of_a_recipe_are_those_that_an_override_takes():
    recipe = {
        "seed": 1,
        "corpus": {"sources": [{"path": "a"}, {"path": "b"}], "cleaning": {"languages": ["en", "de"]}},
        "tasks": [{"name": "section", "finetuning": {"max_steps": 5}}],
        "expectations": {},
    }
    assert flatten(recipe) == {
        "seed": 1,
        "corpus.sources.0.path": "a",
        "corpus.sources.1.path": "b",
        "corpus.cleaning.languages": ["en", "de"],
        "tasks.section.name": "section",
        "tasks.section.finetuning.max_steps": 5,
        "expectations": {},
    }


def test_a_task_row_has_the_metric_of_the_task_and_the_aliases_of_now():
    assert task_row(task(metric="accuracy"), ["champion"]) == {
        "task": "section",
        "metric": "accuracy",
        "verdict": "first version",
        "registered_model": "quickstart-section",
        "version": "1",
        "value": 0.8,
        "low": 0.78,
        "high": 0.8200000000000001,
        "aliases": ["champion"],
    }


def test_list_of_runs():
    stopped = row(run_id=SECOND_ID, seconds=None, status="running", tasks=[], overrides="seed=7 model.size=nano")
    base = row(seconds=3 * 3600 + 125.0, recipe="base", tasks=[], language={"val/loss": 2.5, "val/perplexity": 12.1825})
    assert render_runs([row(), stopped, base]).splitlines() == [
        "run       recipe      started           took        status",
        "3f2a9c1b  quickstart  2026-11-20 08:05  4 min       finished",
        "  section: macro_f1 0.700 (0.680 to 0.720), first version, quickstart-section 1",
        "    (champion)",
        "7b11ee02  quickstart  2026-11-20 08:05  -           running",
        "  --set seed=7 model.size=nano",
        "3f2a9c1b  base        2026-11-20 08:05  3 h 02 min  finished",
        "  val/loss 2.500, val/perplexity 12.182",
    ]


def test_a_list_with_long_names_fits_80_columns():
    long = row(recipe="r" * 63, seconds=360_000.0, overrides=" ".join(["tasks.section.finetuning.max_steps=5"] * 9))
    text = render_runs([row(), long])
    assert widest(text) <= 80
    assert "r" * 19 + "..." in text and "r" * 20 not in text


def test_an_empty_list_says_how_to_start():
    assert render_runs([]) == "no runs yet; start one: lmforge run recipes/quickstart.yaml"
