from __future__ import annotations

import numpy as np
import pandas as pd

from automl.records import SearchRecord, TrialRecord
from automl.select import cv_results


def facts(**more):
    return SearchRecord(
        study_name="s", task="binary", target="y", space="s", space_digest="d", n_rows=20, n_columns=2, n_folds=2,
        random_state=0, **{"scoring": "roc_auc", **more},
    )  # fmt: skip


def record(number, state, fold_scores, params, **more):
    score = float(np.mean(fold_scores)) if fold_scores else None
    return TrialRecord(
        number=number, configuration={}, params=params, seed=0, state=state, family="linear", score=score,
        fold_scores=tuple(fold_scores), seconds=3.0, **more,
    )  # fmt: skip


RECORDS = [
    record(2, "complete", [0.7, 0.9], {"model": "linear", "model.linear.l2": 0.1}, score_seconds=(0.2, 0.4)),
    record(0, "failed", [], {"model": "mlp"}),
    record(1, "complete", [0.6, 0.6], {"model": "linear", "model.linear.l2": 0.2}),
    record(4, "pruned", [0.95], {"model": "mlp"}, folds_left=1),
]


def test_cv_results_has_the_keys_of_scikit_learn():
    found = cv_results(RECORDS, facts())
    assert found["trial"].tolist() == [0, 1, 2, 4]
    assert found["params"][2] == {"model": "linear", "model.linear.l2": 0.1}
    assert found["param_model.linear.l2"].tolist() == [None, 0.2, 0.1, None]
    np.testing.assert_allclose(found["split1_test_score"], [np.nan, 0.6, 0.9, np.nan])
    np.testing.assert_allclose(found["mean_test_score"], [np.nan, 0.6, 0.8, 0.95])
    np.testing.assert_allclose(found["std_test_score"], [np.nan, 0, 0.1, 0], atol=1e-12)
    assert found["rank_test_score"].tolist() == [4, 2, 1, 3]  # a pruned trial is after complete ones
    assert found["mean_fit_time"].tolist() == [1.5, 1.5, 1.5, 3.0]  # of one fold
    np.testing.assert_allclose(found["mean_score_time"], [np.nan, np.nan, 0.3, np.nan])
    np.testing.assert_allclose(found["std_score_time"], [np.nan, np.nan, 0.1, np.nan])
    assert pd.DataFrame(found).shape == (4, len(found))


def test_cv_results_has_a_mean_for_each_of_several_objectives():
    several = facts(scoring="roc_auc, fit_seconds", directions=("maximize", "minimize"))
    one = record(0, "complete", [0.5, 0.7], {}, values={"roc_auc": 0.6, "fit_seconds": 2.0})
    found = cv_results([one], several)
    assert found["mean_test_fit_seconds"].tolist() == [2.0]
    assert found["mean_test_roc_auc"].tolist() == [0.6]
