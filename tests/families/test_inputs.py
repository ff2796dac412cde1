"""Columns that are not for all families: learned vectors, native categories, missing numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import automl
from automl.errors import SpaceError
from automl.export import load_model
from automl.families import FAMILIES, Problem, forbid_unsuitable_inputs, load_space, prepared_problem
from automl.table import TypedColumns, category_codes, preprocessor
from tests.support.boards import trial_rows

EMBED = {"categorical": {"encode": "embed", "max_categories": 40}}
TYPES = {"x": "numeric", "city": "categorical"}
MLP = {
    "hidden_layer_sizes": [[16]],
    "learning_rate": {"low": 0.01, "high": 0.03, "log": True},
    "max_epochs": 40,
    "batch_size": 32,
}


def space(encode: Any, **families: Any) -> dict[str, Any]:
    choice = {"mlp": MLP} | families
    preprocess = {"categorical": {"encode": encode, "max_categories": 40}}
    return {"space": {"preprocess": preprocess, "model": {"choice": choice}}}


@pytest.fixture(scope="module")
def table() -> tuple[pd.DataFrame, pd.Series]:
    """Return rows whose target follows from the city alone, in no order of its names; some cities are missing."""
    rng = np.random.default_rng(0)
    codes = rng.integers(0, 30, 900)
    X = pd.DataFrame({"x": rng.normal(size=900), "city": [f"city {code:02d}" for code in codes]})
    effect = rng.permutation(np.linspace(-3, 3, 30))
    y = pd.Series(effect[codes] + 0.1 * rng.normal(size=900), name="price")
    X.loc[X.index % 40 == 0, "city"] = None
    return X, y


def search(encode: str, table: tuple[Any, Any], **settings: Any) -> automl.Search:
    options = {
        "n_trials": 3,
        "timeout": None,
        "n_jobs": 1,
        "ensemble": False,
        "random_state": 0,
        "scoring": "r2",
    } | settings
    return automl.Search(space=space(encode), progress=False, study_name=f"embed-{encode}", **options).fit(
        *table
    )


@pytest.fixture(scope="module")
def found(table, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("search"))
        yield search("embed", table), search("ordinal", table)


def test_embedding_in_a_search_beats_ordinal_codes(found):
    embed, ordinal = found
    assert (trial_rows(embed.leaderboard_).state == "complete").all()
    assert embed.best_score_ > 0.9
    assert ordinal.best_score_ < 0.6


def test_embedding_model_predicts_after_export(found, table, tmp_path):
    embed, _ = found
    X = table[0].head(50).copy()
    X.loc[0, "city"], X.loc[1, "city"] = "a city never seen", None
    expected = embed.best_estimator_.predict(X)
    embed.export(tmp_path / "model")
    assert np.array_equal(load_model(tmp_path / "model").predict(X), expected)
    model = embed.best_estimator_[-1]
    assert model.architecture_["input_layer"] == "embedding"
    assert model.architecture_["categories"] == (42,)


def test_embedding_codes_tell_missing_unseen_and_known_apart():
    prepare = preprocessor(EMBED, TYPES)
    X = pd.DataFrame({"x": [0.0, 1.0, 2.0], "city": ["b", "a", None]})
    prepare.fit(X)
    other = pd.DataFrame({"x": [0.0] * 4, "city": ["a", "b", "c", None]})
    assert prepare.transform(other)[:, -1].tolist() == [2, 3, 1, 0]
    assert category_codes(EMBED, TYPES) == (42,)


def test_embedding_codes_stay_below_their_number():
    rng = np.random.default_rng(0)
    cities = pd.DataFrame({"city": [f"c{code}" for code in rng.integers(0, 300, 6000)]})
    columns = TypedColumns().fit(cities)
    settings = {"categorical": {"encode": "embed", "max_categories": 10}}
    X = preprocessor(settings, columns.column_types_).fit_transform(columns.transform(cities))
    (n_codes,) = category_codes(settings, columns.column_types_)
    assert X[:, -1].max() < n_codes == 12


def test_embedding_needs_a_family_with_learned_vectors():
    problem = Problem("regression")
    assert prepared_problem(FAMILIES["mlp"], problem, EMBED, TYPES).categories == (42,)
    assert prepared_problem(FAMILIES["linear"], problem, {}, TYPES).categories == ()
    for name, family in FAMILIES.items():
        if "embed" not in family.category_codes:
            with pytest.raises(SpaceError, match=f"must be an encoder for {name}, which learns no vectors"):
                prepared_problem(family, problem, EMBED, TYPES)


def test_embedding_with_another_family_is_a_fault_of_the_space():
    with pytest.raises(SpaceError, match=r"model\.decision_tree: .* which learns no vectors"):
        load_space(space("embed", decision_tree={}))


def test_embedding_as_a_choice_is_forbidden_for_other_families():
    loaded = forbid_unsuitable_inputs(load_space(space({"choice": ["onehot", "embed"]}, decision_tree={})))
    rng = np.random.default_rng(0)
    drawn = [loaded.sample(rng) for _ in range(60)]
    kinds = {(next(iter(c["model"])), c["preprocess"]["categorical"]["encode"]) for c in drawn}
    assert kinds == {("mlp", "onehot"), ("mlp", "embed"), ("decision_tree", "onehot")}


def test_embedding_leaves_no_room_for_random_features():
    with pytest.raises(SpaceError, match=r"preprocess\.features: must not be rbf"):
        preprocessor({**EMBED, "features": "rbf"}, TYPES)


NATIVE = {"categorical": {"encode": "native"}}


def test_native_codes_are_nan_where_missing_or_unseen():
    prepare = preprocessor(
        {**NATIVE, "numeric": {"impute": "none", "scale": "none"}}, {**TYPES, "up": "boolean"}
    )
    X = pd.DataFrame({"x": [0.0, np.nan, 2.0], "city": ["b", "a", None], "up": [np.nan, 1.0, 0.0]})
    nan = np.nan
    np.testing.assert_array_equal(prepare.fit_transform(X), [[0, nan, 1], [nan, 1, 0], [2, 0, nan]])
    other = X.assign(city=["z", "b", None])
    np.testing.assert_array_equal(prepare.transform(other)[:, -1], [nan, 1, nan])
    assert category_codes(NATIVE, TYPES) == (255,)


def test_native_codes_stay_below_their_number():
    rng = np.random.default_rng(0)
    cities = pd.DataFrame({"city": [f"c{code}" for code in rng.integers(0, 2000, 9000)]})
    X = preprocessor(NATIVE, {"city": "categorical"}).fit_transform(cities)
    assert X.max() < 255


@pytest.mark.parametrize("scale", ["none", "standard", "robust", "minmax", "quantile"])
def test_missing_numbers_stay_missing_in_every_scale(scale):
    X = pd.DataFrame({"x": [0.0, np.nan, 2.0, 5.0], "empty": [np.nan] * 4})
    prepare = preprocessor(
        {"numeric": {"impute": "none", "scale": scale}}, {"x": "numeric", "empty": "numeric"}
    )
    found = prepare.fit_transform(X)
    assert found.shape == (4, 2)
    np.testing.assert_array_equal(np.isnan(found), [[0, 0], [1, 0], [0, 0], [0, 0]])


@pytest.mark.parametrize(
    ("preprocess", "lacking", "rule"),
    [
        (NATIVE, {"linear", "mlp", "decision_tree", "xgboost"}, "takes no codes of categories"),
        ({"numeric": {"impute": "none"}}, {"linear", "mlp", "quick_linear"}, "takes no missing numbers"),
    ],
)
def test_columns_that_a_family_does_not_take_are_a_fault_of_the_space(preprocess, lacking, rule):
    for name in lacking:
        with pytest.raises(SpaceError, match=rf"model\.{name}: .* {rule}"):
            load_space({"space": {"preprocess": preprocess, "model": {"choice": {name: {}}}}})
    for name in ("lightgbm", "catboost", "hist_gradient_boosting"):
        load_space({"space": {"preprocess": preprocess, "model": {"choice": {name: {}}}}})


def test_choice_of_columns_is_forbidden_for_families_that_do_not_take_them():
    preprocess = {"numeric": {"impute": ["median", "none"]}, "categorical": {"encode": ["onehot", "native"]}}
    choice = {"linear": {}, "decision_tree": {}, "lightgbm": {}}
    loaded = forbid_unsuitable_inputs(
        load_space({"space": {"preprocess": preprocess, "model": {"choice": choice}}})
    )
    rng = np.random.default_rng(0)
    drawn = [loaded.params(loaded.sample(rng)) for _ in range(80)]
    kinds = {
        (one["model"], one["preprocess.numeric.impute"], one["preprocess.categorical.encode"])
        for one in drawn
    }
    assert {kind for kind in kinds if kind[0] == "linear"} == {("linear", "median", "onehot")}
    assert {kind[1:] for kind in kinds if kind[0] == "decision_tree"} == {
        ("median", "onehot"),
        ("none", "onehot"),
    }
    assert len({kind for kind in kinds if kind[0] == "lightgbm"}) == 4


def test_random_features_need_numbers_without_gaps():
    with pytest.raises(SpaceError, match=r"must not be rbf where numeric\.impute is none"):
        preprocessor({"numeric": {"impute": "none"}, "features": "rbf"}, TYPES)


def test_own_estimator_takes_missing_numbers_if_its_tags_say_so():
    preprocess = {"numeric": {"impute": "none"}}
    load_space(
        {
            "space": {
                "preprocess": preprocess,
                "model": {"choice": {"own": {"estimator": "sklearn.tree.DecisionTreeClassifier"}}},
            }
        }
    )
    with pytest.raises(SpaceError, match="takes no missing numbers"):
        load_space(
            {
                "space": {
                    "preprocess": preprocess,
                    "model": {"choice": {"own": {"estimator": "sklearn.svm.SVC"}}},
                }
            }
        )


def test_forbidden_columns_of_the_default_space_survive_yaml():
    space = forbid_unsuitable_inputs(load_space("tabular"))
    assert load_space(space.to_yaml()).forbid == space.forbid == ()
