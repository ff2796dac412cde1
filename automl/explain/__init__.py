"""Explanations of a model: importance of raw columns, effects of values, single rows."""

from automl.explain.effects import Effect, effect_of
from automl.explain.explanation import Explanation, explain, worst_rows
from automl.explain.importance import column_groups, permutation_importance
from automl.explain.parameters import coefficients, raw_column, tree_importances
from automl.explain.rows import Part
from automl.explain.shapley import row_contributions

__all__ = [
    "Effect",
    "Explanation",
    "Part",
    "coefficients",
    "column_groups",
    "effect_of",
    "explain",
    "permutation_importance",
    "raw_column",
    "row_contributions",
    "tree_importances",
    "worst_rows",
]
