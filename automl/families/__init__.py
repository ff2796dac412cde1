"""Model families: a configuration becomes something that trains."""

from automl.families.base import Array, Family, Fold, Problem, Trainer, epoch_steps, ladder
from automl.families.catalog import FAMILIES, family_of, reached, structural, vocabulary
from automl.families.reference import reference
from automl.families.spaces import fitting, load_space, training

__all__ = [
    "FAMILIES",
    "Array",
    "Family",
    "Fold",
    "Problem",
    "Trainer",
    "epoch_steps",
    "family_of",
    "fitting",
    "ladder",
    "load_space",
    "reached",
    "reference",
    "structural",
    "training",
    "vocabulary",
]
