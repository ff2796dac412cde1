"""The space language: declares what a search may try, and reports mistakes before the first trial."""

from automl.space.builders import Branch, Choice, Float, Int
from automl.space.conflicts import Conflicts
from automl.space.diff import Change
from automl.space.files import read_included, shipped_folder, shipped_names
from automl.space.foreign import SmokeTest, estimator_section
from automl.space.load import load_space
from automl.space.point import as_point, from_point
from automl.space.schema import json_schema
from automl.space.space import Space
from automl.space.specialise import Incompatibility
from automl.space.syntax import FAMILY_PARAM
from automl.space.tree import Size
from automl.space.when import TableFacts

__all__ = [
    "FAMILY_PARAM",
    "Branch",
    "Change",
    "Choice",
    "Conflicts",
    "Float",
    "Incompatibility",
    "Int",
    "Size",
    "SmokeTest",
    "Space",
    "TableFacts",
    "as_point",
    "estimator_section",
    "from_point",
    "json_schema",
    "load_space",
    "read_included",
    "shipped_folder",
    "shipped_names",
]
