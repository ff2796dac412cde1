"""A class under its name of version 0.1.0, for MLflow's own loaders; see `automl.persistence.moved`."""

from __future__ import annotations

from automl.families.label_encoding import LabelEncodedClassifier as ByCodes

__all__ = ["ByCodes"]
