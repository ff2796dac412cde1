from __future__ import annotations

import io

from rich.console import Console

from automl.cli.render import corrected_line, leaderboard_table
from automl.select import leaderboard
from tests.support.trials import trial_record

FOUND = {"score": 0.79, "low": 0.7, "high": 0.85, "baseline": 0.5, "beats_baseline": 0.995}


def test_corrected_line_names_what_the_best_trial_beats():
    first, second = corrected_line({**FOUND, "beats_default": 0.62}).splitlines()
    assert first == "expected on new rows: 0.79 (0.7 to 0.85), corrected for the selection; baseline 0.5"
    assert second.startswith(
        "the best trial beats the baseline in 100% and the first trial of its family in 62% of "
    )
    for missing in ({}, {"beats_default": None}, {"beats_default": float("nan")}):
        second = corrected_line({**FOUND, **missing}).splitlines()[1]
        assert second == "the best trial beats the baseline in 100% of random halves of the rows"
    assert len(corrected_line({**FOUND, "beats_baseline": float("nan")}).splitlines()) == 1
    ensemble = {"ensemble_score": 0.8, "ensemble_low": 0.72, "ensemble_high": 0.86}
    assert "selection; ensemble 0.8 (0.72 to 0.86); baseline 0.5" in corrected_line({**FOUND, **ensemble})


def test_leaderboard_shows_the_rows_of_one_family(table, run):
    (table / "two.yaml").write_text(
        "space: {model: {choice: {decision_tree: {max_depth: [1, 2]}, quick_linear: {}}}}\n"
    )
    words = (
        "--target",
        "species",
        "--space",
        "two.yaml",
        "--n-trials",
        3,
        "--sampler",
        "grid",
        "--pruner",
        "none",
        "--n-jobs",
        1,
    )
    assert run("search", "penguins.csv.gz", *words, "--study-name", "two", "--no-progress")[0] == 0
    for family, n in (("decision_tree", 2), ("quick_linear", 1)):
        lines = run("leaderboard", "two", "--family", family)[1].splitlines()
        rows = [line for line in lines if " complete " in line]
        assert len(rows) == n
        assert all(f" {family} " in line for line in rows)
    assert " complete " not in run("leaderboard", "two", "--family", "dummy")[1]


def test_leaderboard_table_shows_reasons_of_failures():
    records = [
        trial_record(0, score=0.5),
        trial_record(1, score=None, state="failed", reason="a\nValueError: [b]"),
    ]
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(leaderboard_table(leaderboard(records), 5, "s"))
    assert "ValueError: [b]" in console.export_text()
