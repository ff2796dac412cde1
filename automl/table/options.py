"""The parameters of the preprocessing, as data, and the check of a configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from sklearn.preprocessing import MinMaxScaler, StandardScaler

from automl.constraints import Number, OneOf, Parameter, Section, Union, Variants, named
from automl.errors import Fault, SpaceError, nearest
from automl.table.derived import discrete_values
from automl.table.encoders import ENCODERS, SAME
from automl.table.sparse import is_sparse
from automl.table.target_transform import TARGET_TRANSFORMS
from automl.table.transformers import GaussianRank, SpreadScaler

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FEATURES",
    "IMPUTE",
    "PREPROCESS",
    "SCALERS",
    "TEXT_ENCODERS",
    "category_codes",
    "checked_settings",
]

IMPUTE = "median"  # the default
_FEW = 40  # categories of a column, by default
TEXT_ENCODERS = ("tfidf", "svd", "string")


def _squash() -> Any:
    from skrub import SquashingScaler  # slow to import

    return SquashingScaler()


SCALERS: dict[str, Callable[[], Any]] = {
    "standard": StandardScaler,
    "robust": SpreadScaler,
    "minmax": MinMaxScaler,
    "quantile": GaussianRank,
    "squash": _squash,
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
    "pairs": Section(
        {
            "max_numeric": Parameter(
                Number(0, integer=True),
                100,
                "Sums, differences, products and quotients of two numeric columns at most, drawn at random.",
            ),
            "max_categorical": Parameter(
                Number(0, integer=True),
                20,
                "Pairs of categorical columns at most, drawn at random; encoded like target_count.",
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
                        OneOf(("median", "mean", "most_frequent", "none")),
                        IMPUTE,
                        "Value for missing numbers, marked by an extra column; `none` keeps them missing, for trees.",
                    ),
                    "scale": Parameter(
                        OneOf((*SCALERS, "none")),
                        "standard",
                        "By mean and deviation, median and quartiles, to 0 .. 1, to normal scores, by median and "
                        "quartiles with outliers squashed to -3 .. 3, or not at all.",
                    ),
                    "discrete": Parameter(
                        OneOf(("number", "onehot", "target")),
                        "number",
                        "Whole numbers as numbers only; also with a column for each value, up to 40 values; or also "
                        "with the cross-fitted target mean and the count of rows of each value, if values repeat.",
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
                        "A column for each category; an integer for each category; the cross-fitted target mean, also "
                        "with the count of rows, or with vectors of n-grams of characters; such vectors alone; a "
                        "learned vector, in the family mlp; or `native`, a code that boosting splits as a category.",
                    ),
                    "high_cardinality": Parameter(
                        OneOf((SAME, *(name for name, row in ENCODERS.items() if row.n_codes is None))),
                        SAME,
                        "Encoder of columns with more categories than cardinality_threshold, beside the codes of "
                        "embed or native; same: as the others.",
                    ),
                    "cardinality_threshold": Parameter(
                        Number(1, integer=True), _FEW, "Categories of a column that are not yet many."
                    ),
                    "max_categories": Parameter(
                        Number(2, integer=True),
                        32,
                        "Maximum categories of a column for onehot and embed (native: 255); the rarest share one.",
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
                        OneOf(("drop", *TEXT_ENCODERS)),
                        "drop",
                        "Excluded; a column for each frequent term, by TF-IDF; or a few columns by latent semantic "
                        "analysis of all terms (svd), or of n-grams of 3 and 4 characters (string).",
                    ),
                    "ngrams": Parameter(
                        Number(1, integer=True), 1, "Words of a term at most, for tfidf and svd."
                    ),
                    "max_words": Parameter(
                        Number(1, integer=True),
                        200,
                        "Number of terms of a column for tfidf, the most frequent ones.",
                    ),
                    "min_df": Parameter(
                        Number(1, integer=True), 1, "Training rows that hold a term of tfidf, at least."
                    ),
                    "n_components": Parameter(
                        Number(1, integer=True), 30, "Number of columns for svd and string."
                    ),
                }
            ),
            {},
            "Columns of free text.",
        ),
        "target": Parameter(
            Section(
                {
                    "transform": Parameter(
                        OneOf(("none", *TARGET_TRANSFORMS)),
                        "none",
                        "Whether models learn the logarithm or normal scores of the target; clip, log and quantile "
                        "keep predictions in the range of the training target.",
                    ),
                }
            ),
            {},
            "The target of a regression.",
        ),
        "features": Parameter(
            Variants(FEATURES),
            "none",
            "Columns made of others: none, random features of the Gaussian kernel of all prepared columns, or "
            "pairs of columns.",
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
    for name, parameter in PREPROCESS.parameters.items():
        section, given = parameter.constraint, configuration.get(name) or {}
        if not isinstance(section, Section):
            if given and not section.accepts(given):
                faults.append(Fault(f"preprocess.{name}", f"must be {section.describe()}", repr(given)))
            settings[name] = given or parameter.default
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
    if not faults and named(settings["features"])[0] == "rbf":
        encode, impute = settings["categorical"]["encode"], settings["numeric"]["impute"]
        needs = {"categorical.encode": encode} if ENCODERS[encode].n_codes is not None else {}
        needs |= {"numeric.impute": impute} if impute == "none" else {}
        came = repr(configuration["features"]) if needs else ""
        faults += [
            Fault("preprocess.features", f"must not be rbf where {key} is {value}", came)
            for key, value in needs.items()
        ]
    if faults:
        raise SpaceError(faults)
    return settings


def category_codes(configuration: Mapping[str, Any], column_types: Mapping[str, str]) -> tuple[int, ...]:
    """Return the number of codes of each of the last columns that a configuration leaves as categories.

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


def irrelevant_options(
    offers: Callable[[str, Any], bool], column_types: Mapping[str, str], frame: pd.DataFrame, task: str
) -> Iterator[tuple[str, str]]:
    """Yield the options of the preprocessing that have no effect on a table, with the reason.

    Parameters
    ----------
    offers : callable
        ``offers(path, value)`` returns whether a space has this value, as in `Space.offers`.
    column_types : mapping of str to str
        ``TypedColumns.column_types_``.
    frame : DataFrame of shape (n, p)
        The typed table.
    task : {"binary", "multiclass", "regression"}
        The task.
    """
    if task != "regression":
        yield "target", "the target is a class"
    if is_sparse(column_types):
        for part in ("numeric", "categorical", "datetime", "text", "features"):
            yield part, "the table is sparse: each column is divided by its largest value"
        return
    of_kind = {
        kind: [name for name in map(str, frame) if column_types[name] == kind]
        for kind in set(column_types.values())
    }
    for kind in sorted({"categorical", "datetime", "text"} - set(column_types.values())):
        yield kind, f"the table has no {kind} column"
    numeric = of_kind.get("numeric", [])
    dated = [*numeric, *of_kind.get("datetime", [])]
    if offers("numeric.impute", IMPUTE) and not frame[dated].isna().to_numpy().any():
        yield "numeric.impute", "the table has no missing number"
    if not any(len(discrete_values(frame[name], len(frame) // 2)) for name in numeric):
        yield "numeric.discrete", "the table has no whole numbers that repeat"
    categorical = of_kind.get("categorical", [])
    most = max((frame[name].nunique() for name in categorical), default=0)
    offered = any(offers("categorical.cardinality_threshold", least) for least in range(1, most))
    if categorical and most <= _FEW and not offered:
        yield "categorical.high_cardinality", f"no categorical column has above {_FEW} categories"
