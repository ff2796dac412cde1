"""The parameters of the preprocessing, as data, and the check of a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.preprocessing import MinMaxScaler, StandardScaler

from automl.constraints import Number, OneOf, Parameter, Section, Union, Variants, named
from automl.errors import Fault, SpaceError, nearest
from automl.table.encoders import ENCODERS
from automl.table.transformers import GaussianRank, SpreadScaler

__all__ = ["FEATURES", "IMPUTE", "PREPROCESS", "SCALERS", "category_codes", "checked_settings"]

IMPUTE = "median"  # the default

SCALERS: dict[str, Any] = {
    "standard": StandardScaler,
    "robust": SpreadScaler,
    "minmax": MinMaxScaler,
    "quantile": GaussianRank,
}

FEATURES = {
    "none": Section(),
    "rbf": Section(
        {
            "gamma": Parameter(
                Union((Number(0, open_low=True), OneOf(("scale",)))),
                "scale",
                "The kernel is exp(-gamma |x - x'|^2); scale: 1 / (columns * variance).",
            ),
            "n_components": Parameter(
                Number(1, integer=True), 100, "Number of random features; more approximate the kernel better."
            ),
        }
    ),
}

PREPROCESS = Section(
    {
        "numeric": Parameter(
            Section(
                {
                    "impute": Parameter(
                        OneOf(("median", "mean", "most_frequent")),
                        IMPUTE,
                        "Value for missing numbers; an extra column marks them.",
                    ),
                    "scale": Parameter(
                        OneOf((*SCALERS, "none")),
                        "standard",
                        "By mean and deviation, median and quartiles, to 0 .. 1, to normal scores, or not at all.",
                    ),
                }
            ),
            {},
            "Columns of numbers; dates, ordinal and target codes are imputed and scaled like them.",
        ),
        "categorical": Parameter(
            Section(
                {
                    "encode": Parameter(
                        OneOf(tuple(ENCODERS)),
                        "onehot",
                        "A column for each category; an integer for each category; the cross-fitted target mean; or a "
                        "learned vector, in the family mlp.",
                    ),
                    "max_categories": Parameter(
                        Number(2, integer=True),
                        32,
                        "Maximum categories of a column for onehot and embed; the rarest categories share one.",
                    ),
                }
            ),
            {},
            "Categorical columns; missing is a category of its own.",
        ),
        "datetime": Parameter(
            Section(
                {
                    "encode": Parameter(
                        OneOf(("cyclic", "calendar")),
                        "cyclic",
                        "Year, week and day as sine and cosine; or year, month, day, weekday, hour, minute.",
                    ),
                }
            ),
            {},
            "Date columns; each also gives the days since its first date.",
        ),
        "text": Parameter(
            Section(
                {
                    "encode": Parameter(
                        OneOf(("drop", "tfidf")),
                        "drop",
                        "Excluded; or a column for each frequent word, by TF-IDF.",
                    ),
                    "max_words": Parameter(
                        Number(1, integer=True), 200, "Number of words of a column, the most frequent ones."
                    ),
                }
            ),
            {},
            "Columns of free text.",
        ),
        "features": Parameter(
            Variants(FEATURES),
            "none",
            "Map of the prepared matrix: none, or random features of the Gaussian kernel.",
        ),
    }
)


def checked_settings(configuration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the sections of a preprocessing with defaults filled in.

    Raises
    ------
    SpaceError
        If the configuration has unknown keys or values.
    """
    faults, settings = [], {}
    for name in configuration:
        if name not in PREPROCESS.parameters:
            known = list(PREPROCESS.parameters)
            faults.append(
                Fault(f"preprocess.{name}", "must be a known part", str(name), nearest(name, known))
            )
    for name, part in PREPROCESS.parameters.items():
        section, given = part.constraint, configuration.get(name) or {}
        if not isinstance(section, Section):
            if given and not section.accepts(given):
                faults.append(Fault(f"preprocess.{name}", f"must be {section.describe()}", repr(given)))
            continue
        for key, value in given.items():
            where = f"preprocess.{name}.{key}"
            if key not in section.parameters:
                remedy = nearest(key, list(section.parameters))
                faults.append(Fault(where, "must be a known parameter", str(key), remedy))
            elif not section.parameters[key].constraint.accepts(value):
                faults.append(
                    Fault(where, f"must be {section.parameters[key].constraint.describe()}", repr(value))
                )
        settings[name] = section.defaults() | dict(given)
    embeds = not faults and ENCODERS[settings["categorical"]["encode"]].n_codes is not None
    if embeds and named(configuration.get("features") or "none")[0] != "none":
        rule = f"must be none where categorical.encode is {settings['categorical']['encode']}"
        faults.append(Fault("preprocess.features", rule, repr(configuration["features"])))
    if faults:
        raise SpaceError(faults)
    return settings


def category_codes(configuration: Mapping[str, Any], column_types: Mapping[str, str]) -> tuple[int, ...]:
    """Return the number of codes of each of the last columns that a configuration prepares for learned vectors.

    Examples
    --------
    >>> category_codes({"categorical": {"encode": "embed", "max_categories": 10}}, {"to": "categorical"})
    (12,)
    >>> category_codes({}, {"to": "categorical"})
    ()
    """
    settings = checked_settings(configuration)["categorical"]
    n_codes = ENCODERS[settings["encode"]].n_codes
    n_columns = sum(kind == "categorical" for kind in column_types.values())
    return () if n_codes is None else (n_codes(settings),) * n_columns
