"""Weighted averages of fitted pipelines, as scikit-learn estimators."""

from automl.ensemble.weighted import EnsembleClassifier, EnsembleRegressor

__all__ = ["EnsembleClassifier", "EnsembleRegressor"]
