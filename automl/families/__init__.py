"""Model families: a configuration becomes something that trains."""

from automl.families.base import Array, Family, Fold, Problem, Trainer, epoch_steps, ladder
from automl.families.catalog import FAMILIES, family_of, reached, structural, vocabulary
from automl.families.reference import reference
from automl.families.spaces import incompatibility_check, load_space, smoke_test

__all__ = [
    "FAMILIES",
    "Array",
    "Family",
    "Fold",
    "Problem",
    "Trainer",
    "epoch_steps",
    "family_of",
    "incompatibility_check",
    "ladder",
    "load_space",
    "reached",
    "reference",
    "structural",
    "smoke_test",
    "vocabulary",
]
