"""Build the transformer of a configuration's `preprocess` part; it is fitted inside each fold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.kernel_approximation import RBFSampler
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from automl.constraints import Number, OneOf, Parameter, Section, Union, Variants, named
from automl.errors import Fault, SpaceError, TableError, nearest
from automl.table.encoders import ENCODERS, EncoderContext
from automl.table.transformers import DateParts, Float32, GaussianRank, SpreadScaler, TextColumns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BLOCK_VALUES", "IMPUTE", "PREPROCESS", "category_codes", "prepare_matrices", "preprocessor"]

IMPUTE = "median"  # the default
BLOCK_VALUES = 1 << 20  # values of a table that are prepared at once, to save memory
# The same in a pipeline, where each block of columns is a step and slows predictions down.
_PIPELINE_BLOCK_VALUES = 1 << 22
_BLOCKS = ("numeric", "boolean", "missing", "datetime", "text", "categorical")

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


def preprocessor(
    configuration: Mapping[str, Any],
    column_types: Mapping[str, str],
    *,
    task: str | None = None,
    random_state: int = 0,
    n_rows: int = 1,
) -> ColumnTransformer | Pipeline:
    """Return the unfitted transformer of a configuration.

    It takes the output of `TypedColumns` and returns a dense float32 matrix of shape (n, d).

    Parameters
    ----------
    configuration : mapping
        ``{"numeric": {"impute": ..., "scale": ...}, "categorical": {"encode": ..., "max_categories": ...},
        "datetime": {"encode": ...}, "text": {"encode": ..., "max_words": ...}, "features": ...}``; missing
        parameters have the defaults of `PREPROCESS`.
    column_types : mapping of str to str
        ``TypedColumns.column_types_``.
    task : {"binary", "multiclass", "regression"}, optional
        The task; used by ``encode: target`` only, which takes an integer target for classes without it.
    random_state : int
        Seed of folds, sampled rows and random features. All trials of a search share one, so that only their
        parameters differ.
    n_rows : int
        Rows of the training table: with very many, columns of a type are split into blocks (``numeric``,
        ``numeric_2``, ...) to save memory.

    Raises
    ------
    SpaceError
        If the configuration has unknown keys or values.
    TableError
        If no column can be used.

    Examples
    --------
    >>> import pandas as pd
    >>> X = pd.DataFrame({"delay": [1.0, None, 3.0], "to": ["A", "B", "A"]})
    >>> prepare = preprocessor({"numeric": {"scale": "none"}}, {"delay": "numeric", "to": "categorical"})
    >>> prepare.fit_transform(X).tolist()
    [[1.0, 0.0, 1.0, 0.0], [2.0, 1.0, 0.0, 1.0], [3.0, 0.0, 1.0, 0.0]]
    >>> prepare.get_feature_names_out().tolist()
    ['numeric__delay', 'missing__missingindicator_delay', 'categorical__to_A', 'categorical__to_B']
    """
    settings = _settings(configuration)
    impute, scale = settings["numeric"]["impute"], settings["numeric"]["scale"]
    of_kind = {
        kind: [name for name, is_kind in column_types.items() if is_kind == kind]
        for kind in set(column_types.values())
    }
    numeric, boolean = of_kind.get("numeric", []), of_kind.get("boolean", [])
    datetime, categorical = of_kind.get("datetime", []), of_kind.get("categorical", [])
    text = of_kind.get("text", []) if settings["text"]["encode"] == "tfidf" else []
    dates = DateParts(**settings["datetime"])
    transformers = (
        (_chain(_imputer(impute), *_scaler(scale, random_state)), numeric),
        (_chain(_imputer("most_frequent")), boolean),
        (MissingIndicator(error_on_new=False), numeric + boolean),
        (_chain(dates, _imputer(impute), *_scaler(scale, random_state)), datetime),
        (TextColumns(settings["text"]["max_words"]), text),
        (_categories(settings["categorical"], scale, task, random_state), categorical),
    )
    kept = [
        (f"{name}_{number}" if number > 1 else name, clone(transformer), some)
        for name, (transformer, names) in zip(_BLOCKS, transformers, strict=True)
        for number, some in enumerate(_parts(names, _PIPELINE_BLOCK_VALUES // n_rows), start=1)
    ]
    if not kept:
        came = ", ".join(f'"{name}" ({kind})' for name, kind in column_types.items()) or "no columns"
        raise TableError(Fault("X", "must have a column to learn from", came))
    columns = ColumnTransformer(kept, sparse_threshold=0.0)
    name, params = named(configuration.get("features") or "none")
    if name == "none":
        return columns
    features = FEATURES[name].defaults() | params
    return Pipeline([("columns", columns), ("features", RBFSampler(**features, random_state=random_state))])


def prepare_matrices(
    configuration: Mapping[str, Any],
    column_types: Mapping[str, str],
    read: Callable[[list[str]], pd.DataFrame],
    y: np.ndarray,
    rows: Sequence[np.ndarray],
    *,
    task: str | None = None,
    random_state: int = 0,
    keep: Callable[[np.ndarray], Any] = np.asarray,
) -> list[list[Any]]:
    """Fit a preprocessor to the training rows, and return these and other rows as matrices.

    A large table is prepared a few columns at a time, so that temporary arrays are small beside the result.

    Parameters
    ----------
    configuration, column_types, task, random_state
        As in `preprocessor`.
    read : callable
        ``read(names)`` returns columns of the typed table.
    y : ndarray of shape (n,)
        The target.
    rows : sequence of ndarray
        Row numbers: the training rows first.
    keep : callable
        Called with each piece, e.g. to write it to a file; its result replaces the piece.

    Returns
    -------
    list of list of ndarray, or of results of ``keep``
        For each entry of ``rows``, pieces of shape (m, some columns) to concatenate by columns.
    """
    train, settings = rows[0], _settings(configuration)
    left_out = () if settings["text"]["encode"] == "tfidf" else ("text",)
    kinds = [kind for kind in _BLOCKS if kind not in left_out]
    of_kind = [[name for name, of in column_types.items() if of == kind] for kind in kinds]
    groups, width = [sum(of_kind, [])], BLOCK_VALUES // len(train)
    if len(groups[0]) > width and named(configuration.get("features") or "none")[0] == "none":
        groups = [some for names in of_kind for some in _parts(names, width)]
    pieces: list[list[tuple[int, Any]]] = [[] for _ in rows]
    for some in groups:
        frame = read(some)
        of_these = {name: column_types[name] for name in some}
        columns = preprocessor(configuration, of_these, task=task, random_state=random_state)
        for found, part in zip(pieces, rows, strict=True):
            few = frame.iloc[part]
            X = columns.fit_transform(few, y[part]) if part is train else columns.transform(few)
            blocks = columns.output_indices_ if len(groups) > 1 else {_BLOCKS[0]: slice(None)}
            found += [(at, keep(X[:, blocks[name]])) for at, name in enumerate(_BLOCKS) if name in blocks]
    return [[piece for _, piece in sorted(found, key=lambda pair: pair[0])] for found in pieces]


def _parts(names: Sequence[str], width: int) -> list[list[str]]:
    """Return names in parts of ``width``, at least 1."""
    width = max(1, width)
    return [list(names[start : start + width]) for start in range(0, len(names), width)]


def _settings(configuration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
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
    settings = _settings(configuration)["categorical"]
    n_codes = ENCODERS[settings["encode"]].n_codes
    n_columns = sum(kind == "categorical" for kind in column_types.values())
    return () if n_codes is None else (n_codes(settings),) * n_columns


def _chain(*steps: Any) -> Pipeline:
    return Pipeline([(type(step).__name__.lower(), step) for step in (*steps, Float32())])


def _imputer(strategy: str) -> SimpleImputer:
    # A column without values in this fold becomes zeros: the matrix keeps its width and names.
    return SimpleImputer(strategy=strategy, keep_empty_features=True)


def _scaler(name: str, random_state: int) -> list[Any]:
    if name == "none":
        return []
    scaler = SCALERS[name]()
    return [scaler.set_params(random_state=random_state) if "random_state" in scaler.get_params() else scaler]


def _categories(settings: Mapping[str, Any], scale: str, task: str | None, random_state: int) -> Any:
    row = ENCODERS[settings["encode"]]
    encoder = row.build(EncoderContext(settings, task, random_state))
    return _chain(encoder, *_scaler(scale, random_state)) if row.scaled else encoder
