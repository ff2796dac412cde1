"""Weighted averages of fitted pipelines, and calibrated classifiers, as scikit-learn estimators."""

from automl.ensemble.calibrated import CalibratedClassifier, calibrated
from automl.ensemble.weighted import EnsembleClassifier, EnsembleRegressor

__all__ = ["CalibratedClassifier", "EnsembleClassifier", "EnsembleRegressor", "calibrated"]
