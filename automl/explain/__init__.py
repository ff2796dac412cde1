"""Explanations of a model: importance of columns, effects of values, single rows."""
