"""Tables that people bring to `Search`, and the rows that they predict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import cross_val_score, learning_curve

import automl
from automl.search import replay_run

N = 120
LINEAR = {"space": {"preprocess": {"categorical": {"encode": "onehot"}}, "model": "linear"}}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({
        "id": rng.permutation(N) + 1,
        "size": [f"{size:.2f}".replace(".", ",") for size in rng.normal(10, 3, N)],
        "age": rng.integers(18, 90, N),
        "town": rng.choice(["Aachen", "Bern", "None"], N),
        "day": (pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.permutation(N), unit="D")).strftime("%d/%m/%y"),
        "same": "s",
        "a": rng.choice(["b_c", "d"], N),
        "a_b": rng.choice(["c", "e"], N),
    })  # fmt: skip
    score = X["age"] + 20 * (X["town"] == "None") + rng.normal(0, 5, N)
    return X, pd.Series(np.where(score > score.median(), "yes", "no"), name="bought")


@pytest.fixture(scope="module")
def found(table, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("inputs"))
        X, y = table
        yield make().fit(X.assign(bought=y), "bought")


def make(space=LINEAR, **settings):
    return automl.Search(
        space, **{"n_trials": 1, "timeout": None, "n_jobs": 1, "progress": False, **settings}
    )


def test_search_takes_the_name_of_the_target(found, table):
    assert found.feature_names_in_.tolist() == list(table[0])
    assert found.classes_.tolist() == ["no", "yes"]
    assert found.score(*table) > 0.8
    reasons = ["column id: an identifier of the rows; columns=", "column same: a single value"]
    assert [text[: len(start)] for text, start in zip(found.left_out_, reasons, strict=False)] == reasons


SITUATIONS = {
    "without left-out columns": lambda X: X.drop(columns=["id", "same"]),
    "columns in another order": lambda X: X[X.columns[::-1]],
    "a frame without names": lambda X: X.set_axis(range(X.shape[1]), axis=1),
    "an array": lambda X: X.to_numpy(dtype=object),
    "an array without left-out columns": lambda X: X.drop(columns=["id", "same"]).to_numpy(dtype=object),
    "a list of dict": lambda X: X.to_dict("records"),
    "polars": pl.from_pandas,
    "categories": lambda X: X.astype({"town": "category", "a": "category"}),
    "an index of texts": lambda X: X.set_axis([f"row {i}" for i in range(len(X))]),
}


@pytest.mark.parametrize("name", SITUATIONS)
def test_predict_takes(name, found, table):
    X = table[0]
    np.testing.assert_array_equal(found.predict(SITUATIONS[name](X)), found.predict(X))


def test_predict_ignores_extra_columns_with_one_warning(found, table):
    X, y = table
    with pytest.warns(UserWarning, match='did not have are ignored: "extra", "bought"') as warned:
        predictions = found.predict(X.assign(extra=1, bought=y))
    assert len(warned) == 1
    np.testing.assert_array_equal(predictions, found.predict(X))


@pytest.mark.parametrize("name", ["size", "age", "town", "day", "a"])
@pytest.mark.parametrize("missing", [np.nan, None, "", pd.NA])
def test_predict_takes_a_column_without_values(name, missing, found, table):
    rows = table[0].head(4).assign(**{name: missing})
    assert set(found.predict(rows)) <= {"no", "yes"}


def test_predict_takes_no_rows(found, table):
    empty = table[0].head(0)
    assert found.predict(empty).shape == (0,)
    assert found.predict_proba(empty).shape == (0, 2)
    assert found.predict(pl.from_pandas(empty)).shape == (0,)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda X: X.drop(columns="age"), 'column "age": must be in the table, as in training'),
        (lambda X: X.rename(columns={"town": "Town"}), 'column "town".*Did you mean "Town"'),
        (lambda X: X.assign(age="old"), 'column "age": must hold numeric values, as in training; got "old"'),
        (lambda X: X.assign(day="yesterday"), 'column "day": must hold datetime values.*"yesterday"'),
        (lambda X: X.assign(town=[[1]] * N), 'column "town"'),
        (
            lambda X: X.to_numpy(dtype=object)[:, :3],
            "a table without names must have the 8 columns.*got 3 columns",
        ),
        (lambda X: X["age"], "rows and columns"),
        (lambda X: "rows.csv", "rows.csv: must be a file; got no such file"),
    ],
)
def test_predict_refuses(change, says, found, table):
    with pytest.raises(automl.TableError, match=says):
        found.predict(change(table[0]))


def test_best_estimator_fits_on_other_rows(found, table):
    X, y = table
    best = found.best_estimator_
    few = clone(best).fit(X.head(12), y.head(12))
    kinds, expected = few["columns"].column_types_, best["columns"].column_types_
    assert {name: kinds[name] for name in kinds if kinds[name] != expected[name]} == {}
    assert few["columns"].date_formats_ == best["columns"].date_formats_
    clone(best).fit(X.drop(columns=["id", "same"]), y)
    assert cross_val_score(best, X, y, cv=4, error_score="raise").mean() > 0.6
    learning_curve(best, X, y, train_sizes=[0.3, 1.0], cv=3, error_score="raise")
    calibrated = CalibratedClassifierCV(best, cv=3).fit(X, y)
    assert calibrated.predict_proba(X).shape == (N, 2)


def test_prepared_columns_have_unique_names(found, table):
    front = clone(found.best_estimator_)[:-1].set_output(transform="pandas")
    prepared = front.fit_transform(*table)
    names = front.get_feature_names_out().tolist()
    assert prepared.columns.tolist() == names
    assert len(set(names)) == len(names)
    assert {"categorical__a_b_c", "categorical__a_b_c_2"} < set(names)


def test_search_asks_for_types_of_columns(folder, table):
    X, y = table
    space = {**LINEAR, "columns": {"id": "numeric", "a": "drop"}}
    search = make(space, columns={"age": "categorical", "id": "categorical"}).fit(X, y)
    kinds = search.best_estimator_["columns"].column_types_
    assert (kinds["id"], kinds["age"], kinds["a"]) == ("categorical", "categorical", "drop")
    assert "column a: dropped on request; columns= without it keeps it" in search.left_out_
    loaded = automl.load_space(search._winner.plan.space.to_yaml())
    assert dict(loaded.columns) == {"id": "numeric", "a": "drop"}
    again = make(space, columns={"age": "categorical", "id": "categorical"})
    again.set_params(study_name=search.study_.study_name).fit(X, y)
    assert again.leaderboard_.trial.count() == 1
    run_id = search.leaderboard_["run_id"].iloc[0]
    assert replay_run(run_id, X, y).same


@pytest.mark.parametrize("columns", ["age", ["age"], {"age": 5}])
def test_space_refuses_wrong_types_of_columns(columns, table):
    with pytest.raises(automl.AutomlError, match="columns"):
        make({**LINEAR, "columns": columns}).fit(*table)
