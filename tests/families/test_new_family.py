"""A new family needs its own module and one entry of the table; a search then finds it."""

import pytest
from sklearn.neighbors import NearestCentroid
from typing_extensions import override

import automl
from automl.constraints import Number, OneOf, Parameter, Section, Union
from automl.families import FAMILIES, Family, Fold, Problem, Trainer
from automl.families.single_fit import SingleFit
from tests.support.tables import small


class CentroidFamily(Family):
    """The nearest class mean."""

    name = "centroid"
    section = Section(
        {"shrink_threshold": Parameter(Union((Number(0, open_low=True), OneOf((None,)))), None, "Shrinkage.")}
    )
    shared_params = frozenset({"shrink_threshold"})
    unit_seconds = 1e-8

    @override
    def incompatibility(self, params, problem, metric=None):
        return "" if problem.n_classes else "centroid is for classification"

    @override
    def epochs(self, params):
        return 1

    @override
    def cost(self, params, n_rows, n_columns):
        return float(n_rows * n_columns)

    @override
    def trainer(self, configurations, seeds, problem: Problem, fold: Fold) -> Trainer:
        return SingleFit(lambda: self.estimator(configurations[0], seeds[0], problem), problem, fold)

    @override
    def estimator(self, params, seed, problem):
        return NearestCentroid(**params)


def test_new_family_is_searched_through_its_table_entry(monkeypatch, folder):
    monkeypatch.setitem(FAMILIES, "centroid", CentroidFamily())
    space = {"space": {"model": {"choice": {"centroid": {"shrink_threshold": [0.1, 0.5]}}}}}
    X, y = small()
    search = automl.Search(space, n_trials=3, timeout=None, n_jobs=1, progress=False).fit(X, y)
    assert search.best_trial_.state == "complete"
    assert search.best_trial_.family == "centroid"
    assert isinstance(search.best_estimator_[-1], NearestCentroid)
    assert len(search.predict(X)) == len(X)


def test_new_family_parameters_are_checked_by_its_section(monkeypatch):
    monkeypatch.setitem(FAMILIES, "centroid", CentroidFamily())
    with pytest.raises(automl.SpaceError, match="centroid.shrink_threshold: must be a number above 0"):
        automl.load_space({"space": {"model": {"choice": {"centroid": {"shrink_threshold": -1}}}}})
