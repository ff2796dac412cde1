"""The estimators under their module of version 0.1.0, for MLflow's own loaders; see `automl.persistence.moved`."""

from __future__ import annotations

from automl.descent.sklearn import GradientDescentClassifier, GradientDescentRegressor

__all__ = ["GradientDescentClassifier", "GradientDescentRegressor"]
