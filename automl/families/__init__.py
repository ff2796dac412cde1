"""Model families: from a configuration to a model in training, and to an estimator."""

from automl.families.base import Family, Trainer
from automl.families.catalog import FAMILIES, family_of, get_family, params_at_stop, structural, vocabulary
from automl.families.inputs import forbid_unsuitable_inputs, prepared_problem
from automl.families.problem import Array, Fold, Problem, StreamedFit, matrix_bytes
from automl.families.reference import reference
from automl.families.rungs import epoch_steps, part_ends, rung_levels
from automl.families.spaces import incompatibility_check, load_space, smoke_test, space_kind
from automl.families.target_scale import TargetScale, fit_streamed, scale_of, target_scale

__all__ = [
    "FAMILIES",
    "Array",
    "Family",
    "Fold",
    "Problem",
    "StreamedFit",
    "TargetScale",
    "Trainer",
    "epoch_steps",
    "family_of",
    "fit_streamed",
    "forbid_unsuitable_inputs",
    "get_family",
    "incompatibility_check",
    "rung_levels",
    "load_space",
    "matrix_bytes",
    "params_at_stop",
    "part_ends",
    "prepared_problem",
    "reference",
    "scale_of",
    "structural",
    "target_scale",
    "smoke_test",
    "space_kind",
    "vocabulary",
]
