"""The Markdown description of a search."""

from __future__ import annotations

from automl.records import EnsembleRecord
from automl.tracking import Description
from automl.tracking.description import markdown, title
from tests.support.trials import search_record, trial_records


def test_title_names_task_table_and_limits():
    facts = search_record(target="ch*rn", positive_class="yes", constraints={"model_bytes": 1e6}, n_folds=1)
    assert title(facts) == (
        "Search for **ch\\*rn** (binary, positive class `yes`) from 3 columns of 100 rows, ranked by `roc_auc` over "
        "one holdout, model_bytes at most 1e+06. Space `test`, seed 7."
    )


def test_description_of_a_finished_search():
    records = trial_records()
    found = Description(
        search_record(),
        records,
        best=records[3],
        ensemble=EnsembleRecord(members=((3, 0.75), (5, 0.25)), score=0.82),
        corrected={"score": 0.79, "low": 0.7, "high": 0.85, "beats_baseline": 1.0, "beats_default": 0.625}
        | {"ensemble_score": 0.81, "ensemble_low": 0.72, "ensemble_high": 0.86},
        baseline=0.5,
        seconds={"all": 200.0, "training": 150.0, "proposing": 10.0},
        commands={"Continue": "automl resume s"},
        notes=["No report was written."],
    )
    lines = markdown(found, {"Trials": "#/trials"}).splitlines()
    assert lines[0] == "[Trials](#/trials)"
    for line in (
        "| ensemble | 0.82 | trial 3 (75%), trial 5 (25%) |",
        "| ensemble, corrected for its selection | 0.81 | 95 % interval 0.72 to 0.86 |",
        "| best trial | 0.8 | trial 3, lightgbm |",
        "| best trial, corrected for its selection | 0.79 | 95 % interval 0.7 to 0.85 |",
        "| beats the baseline | 100% | of random halves of the rows |",
        "| beats the first trial of its family | 62% | of random halves of the rows |",
        "| baseline | 0.5 | ignores all columns |",
        "| lightgbm | 0.8 | 4 | 12.0 s |",
        "| linear | 0.75 | 4 | 9.0 s |",
        "8 trials: 6 complete, 1 pruned, 1 failed. Time: 200 s; 75% training, 5% proposing. Logging is mostly beside "
        "training.",
        "No report was written.",
        "automl resume s",
    ):
        assert line in lines


def test_description_without_trials():
    text = markdown(Description(search_record(), ()), {})
    assert text.endswith("No trial has ended.")
    assert "|" not in text
