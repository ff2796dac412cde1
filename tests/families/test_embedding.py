"""Learned vectors of categories, from a space to an exported model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import automl
from automl.errors import SpaceError
from automl.export import load_model
from automl.families import FAMILIES, Problem, forbid_embedding, load_space, prepared_problem
from automl.table import TypedColumns, category_codes, preprocessor

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
    options = {"n_trials": 3, "timeout": None, "n_jobs": 1, "random_state": 0, "scoring": "r2"} | settings
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
    assert (embed.leaderboard_.state == "complete").all()
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
        if not family.embeds:
            with pytest.raises(SpaceError, match=f"must be an encoder for {name}, which learns no vectors"):
                prepared_problem(family, problem, EMBED, TYPES)


def test_embedding_with_another_family_is_a_fault_of_the_space():
    with pytest.raises(SpaceError, match=r"model\.decision_tree: .* which learns no vectors"):
        load_space(space("embed", decision_tree={}))


def test_embedding_as_a_choice_is_forbidden_for_other_families():
    loaded = forbid_embedding(load_space(space({"choice": ["onehot", "embed"]}, decision_tree={})))
    rng = np.random.default_rng(0)
    drawn = [loaded.sample(rng) for _ in range(60)]
    kinds = {(next(iter(c["model"])), c["preprocess"]["categorical"]["encode"]) for c in drawn}
    assert kinds == {("mlp", "onehot"), ("mlp", "embed"), ("decision_tree", "onehot")}


def test_embedding_leaves_no_room_for_random_features():
    with pytest.raises(SpaceError, match=r"preprocess\.features: must not be rbf"):
        preprocessor({**EMBED, "features": "rbf"}, TYPES)
