from __future__ import annotations

from automl.cli.render import corrected_line

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
