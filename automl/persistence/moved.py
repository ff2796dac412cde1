"""Classes that have moved since a released version, by their full names.

A skops file names the classes of its objects. When a class moves or is renamed, add a row here, and convert
renamed attributes in the class's `__setstate__`; models written before then still load.
"""

from __future__ import annotations

__all__ = ["MOVED"]

# Old full name -> new full name. Never remove a row: models of every released version must load.
MOVED = {
    # written by 0.1.0
    "automl.descent.estimators.GradientDescentClassifier": "automl.descent.sklearn.GradientDescentClassifier",
    "automl.descent.estimators.GradientDescentRegressor": "automl.descent.sklearn.GradientDescentRegressor",
    "automl.families.labels.ByCodes": "automl.families.label_encoding.LabelEncodedClassifier",
    "automl.table.transformers.NormalScores": "automl.table.transformers.GaussianRank",
    "automl.table.transformers.Words": "automl.table.transformers.TextColumns",
}
