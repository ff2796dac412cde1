"""Model families: a configuration becomes something that trains."""

from automl.families.base import Array, Family, Fold, Problem, Trainer, ladder
from automl.families.catalog import FAMILIES, family_of, structural, vocabulary
from automl.families.reference import reference
from automl.families.spaces import fitting, load_space, training

__all__ = [
    "FAMILIES",
    "Array",
    "Family",
    "Fold",
    "Problem",
    "Trainer",
    "family_of",
    "fitting",
    "ladder",
    "load_space",
    "reference",
    "structural",
    "training",
    "vocabulary",
]
