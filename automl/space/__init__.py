"""The space language: say what may be tried, and be told at once if it makes no sense."""

from automl.space.builders import Branch, Choice, Float, Int
from automl.space.diff import Change
from automl.space.estimators import estimator_section
from automl.space.files import shipped_folder, shipped_names
from automl.space.grid import Size
from automl.space.load import load_space
from automl.space.restrict import Fits
from automl.space.schema import json_schema
from automl.space.space import Space
from automl.space.tryout import ITERATIONS, Tries

__all__ = [
    "ITERATIONS",
    "Branch",
    "Change",
    "Choice",
    "Fits",
    "Float",
    "Int",
    "Size",
    "Space",
    "Tries",
    "estimator_section",
    "json_schema",
    "load_space",
    "shipped_folder",
    "shipped_names",
]
