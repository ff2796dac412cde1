"""The table of families, and the vocabulary of search spaces made from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from automl.constraints import Parameter, Section, Variants
from automl.families.base import Family
from automl.families.boosting import CatBoostFamily, LightGBMFamily, XGBoostFamily
from automl.families.descent import DescentFamily
from automl.families.estimator_family import EstimatorFamily
from automl.families.quick_linear import QUICK_LINEAR
from automl.families.sklearn_models import SKLEARN_FAMILIES
from automl.families.transformed import transformed
from automl.records import Model, TrialRecord, TrialSpec, model_of
from automl.table import PREPROCESS

__all__ = ["FAMILIES", "family_of", "get_family", "params_at_stop", "structural", "vocabulary"]

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        DescentFamily("linear", hidden=False),
        DescentFamily("mlp", hidden=True),
        QUICK_LINEAR,
        *SKLEARN_FAMILIES,
        LightGBMFamily(),
        CatBoostFamily(),
        XGBoostFamily(),
    )
}
"""The families of a search space. A new family is one module and one entry here."""


def vocabulary() -> Section:
    """Return the parameters of a configuration: preprocessing, and a model of one of the families."""
    preprocess = Parameter(
        PREPROCESS, {}, "How columns become numbers; inside a family it is that family's own."
    )
    models = {
        name: Section({**family.section.parameters, "preprocess": preprocess})
        for name, family in FAMILIES.items()
    }
    return Section(
        {"preprocess": preprocess, "model": Parameter(Variants(models), None, "The model family.")}
    )


def family_of(configuration: Mapping[str, Any]) -> tuple[Family, dict[str, Any], dict[str, Any]]:
    """Return a configuration's family, the model's parameters, and its preprocessing.

    Examples
    --------
    >>> family, params, _ = family_of({"model": {"mine": {"estimator": "sklearn.svm.SVR", "C": 2.0}}})
    >>> family.name, params
    ('mine', {'C': 2.0})
    """
    model = model_of(configuration)
    return _family(model), model.params, model.preprocess


def get_family(trial: TrialSpec | TrialRecord) -> Family:
    """Return the family of a trial, without parsing its configuration again."""
    return _family(trial.model)


def _family(model: Model) -> Family:
    if model.estimator is None:
        return transformed(FAMILIES[model.family], model.preprocess)
    return transformed(EstimatorFamily(model.family, model.estimator), model.preprocess)


def params_at_stop(record: TrialRecord) -> dict[str, Any]:
    """Return the family's parameters for a training on all rows that ends where the trial ended."""
    params = record.family_params
    if record.state == "complete" or not record.curve.rungs:
        return params | record.found_params
    stopped = get_family(record).truncated_params(params, record.curve.rungs[-1], record.curve.epoch_steps)
    return stopped | record.found_params


def structural(path: str) -> bool:
    """Return whether the value at this path of a configuration must be equal for trials to train together.

    Examples
    --------
    >>> [structural(path) for path in ("preprocess.numeric.scale", "model.mlp.loss", "model.mlp.l2")]
    [True, True, False]
    """
    room, _, rest = path.partition(".")
    family, _, rest = rest.partition(".")
    if room != "model" or not rest:
        return True
    key = rest.split(".")[0]
    return key == "preprocess" or family not in FAMILIES or key in FAMILIES[family].shared_params
