"""Records of trials for tests of figures and of the report."""

import numpy as np

from automl.records import Curve, SearchRecord, TrialRecord

TIMES = {"started", "seconds", "prepare_seconds", "fit_seconds", "score_seconds"}
"""Fields of a record that differ between two trainings of a trial."""


def search_record(**changes):
    """Return the facts of a small search for two classes."""
    facts = {
        "study_name": "s", "task": "binary", "target": "y", "scoring": "roc_auc", "space": "test",
        "space_digest": "0", "n_rows": 100, "n_columns": 3, "n_folds": 3, "random_state": 7,
        "columns": {"age": "numeric", "plan": "categorical"},
    }  # fmt: skip
    return SearchRecord(**(facts | changes))


def trial_record(number, family="linear", score=0.5, state="complete", **more):
    """Return the record of a trial of a family; parameters are given by their names within the family."""
    own = more.pop("own", {})
    params = {"model": family, **{f"model.{family}.{name}": value for name, value in own.items()}}
    return TrialRecord(
        number=number, configuration={"model": {family: own}}, params=params, seed=0, state=state, family=family,
        score=score, **more,
    )  # fmt: skip


def trial_records():
    """Return eight trials of two families: complete, pruned and failed."""
    rng = np.random.default_rng(0)
    records = []
    for number in range(6):
        score = [0.6, 0.7, 0.65, 0.8, 0.75, 0.78][number]
        family = ["linear", "lightgbm"][number % 2]
        curve = Curve(
            losses=(0.7, 0.6) if family == "linear" else (), rungs=(4, 8), scores=(score - 0.1, score), epoch_steps=4
        )  # fmt: skip
        own = {"learning_rate": 10 ** -float(number), "loss": ["logistic", "hinge"][number // 2 % 2]}
        records.append(
            trial_record(number, family, score, curve=curve, own=own, seconds=1.0 + number,
                         fold_scores=tuple(score + rng.normal(scale=0.01, size=3)))
        )  # fmt: skip
    curve = Curve(rungs=(1, 4), scores=(0.3, 0.4), epoch_steps=4)
    records.append(
        trial_record(6, "linear", 0.4, "pruned", curve=curve, own={"learning_rate": 0.5}, reason="pruned")
    )
    records.append(trial_record(7, "lightgbm", None, "failed", reason="ValueError: <b>bad</b>"))
    return tuple(records)
