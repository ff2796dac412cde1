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
from sklearn.preprocessing import OneHotEncoder

from automl.constraints import named
from automl.errors import Fault, TableError
from automl.table.derived import CategoryPairs, DiscreteNumbers, NumericPairs
from automl.table.encoders import (
    SAME,
    EncoderContext,
    category_encoder,
    encoder_named,
    high_cardinality_encoder,
    is_coded,
)
from automl.table.options import FEATURES, SCALERS, checked_settings
from automl.table.sparse import SparseScaler, is_sparse
from automl.table.strings import StringVectors
from automl.table.transformers import DateParts, Float32, KeepMissing, TextColumns

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BLOCK_VALUES", "prepare_matrices", "preprocessor"]

BLOCK_VALUES = 1 << 20  # values of a table that are prepared at once, to save memory
# The same in a pipeline, where each block of columns is a step and slows predictions down.
_PIPELINE_BLOCK_VALUES = 1 << 22
_BLOCKS = (
    "numeric",
    "discrete",
    "arithmetic",
    "boolean",
    "missing",
    "datetime",
    "text",
    "category_pairs",
    "high_cardinality",
    "categorical",  # last: a model finds the codes of learned vectors there
)
_UNDIVIDED = ("arithmetic", "category_pairs")


def preprocessor(
    configuration: Mapping[str, Any],
    column_types: Mapping[str, str],
    *,
    task: str | None = None,
    random_state: int = 0,
    n_rows: int = 1,
) -> ColumnTransformer | Pipeline | SparseScaler:
    """Return the unfitted transformer of a configuration.

    It takes the output of `TypedColumns` and returns a dense float32 matrix of shape (n, d). Sparse tables are only
    scaled, and stay sparse.

    Parameters
    ----------
    configuration : mapping
        A value of `PREPROCESS`; missing parameters have its defaults.
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
    if is_sparse(column_types):
        return SparseScaler()
    settings = checked_settings(configuration)
    impute, scale, discrete = (settings["numeric"][name] for name in ("impute", "scale", "discrete"))
    of_kind = {
        kind: [name for name, is_kind in column_types.items() if is_kind == kind]
        for kind in set(column_types.values())
    }
    numeric, boolean = of_kind.get("numeric", []), of_kind.get("boolean", [])
    datetime, categorical = of_kind.get("datetime", []), of_kind.get("categorical", [])
    text = of_kind.get("text", []) if settings["text"]["encode"] != "drop" else []
    dates = DateParts(**settings["datetime"])
    context = EncoderContext(
        settings["categorical"],
        task,
        random_state,
        lambda encoder: _chain(encoder, *_scaler(scale, random_state)),
    )
    features, params = named(settings["features"])
    params = FEATURES[features].defaults() | params
    n_arithmetic = params["max_numeric"] if features == "pairs" else 0
    n_joint = params["max_categorical"] if features == "pairs" else 0
    # A quotient may be hundreds of spreads away from the others, where descent diverges.
    scale_pairs = "squash" if scale == "robust" else scale
    both = is_coded(settings["categorical"]) and settings["categorical"]["high_cardinality"] != SAME
    many = high_cardinality_encoder(context) if both else None
    transformers = (
        (_chain(_imputer(impute), *_scaler(scale, random_state)), numeric),
        (_discrete(discrete, context), numeric if discrete != "number" else []),
        (
            NumericPairs(
                _chain(_imputer(impute), *_scaler(scale_pairs, random_state)), n_arithmetic, random_state
            ),
            numeric if n_arithmetic and len(numeric) > 1 else [],
        ),
        (_chain(_imputer("none" if impute == "none" else "most_frequent")), boolean),
        (MissingIndicator(error_on_new=False), [] if impute == "none" else numeric + boolean),
        (_chain(dates, _imputer(impute), *_scaler(scale, random_state)), datetime),
        (_texts(settings["text"], random_state), text),
        (
            CategoryPairs(encoder_named("target_count", context), n_joint, random_state),
            categorical if n_joint and len(categorical) > 1 else [],
        ),
        (many, categorical if many is not None else []),
        (category_encoder(context), categorical),
    )
    kept = [
        (f"{name}_{number}" if number > 1 else name, clone(transformer), some)
        for name, (transformer, names) in zip(_BLOCKS, transformers, strict=True)
        for number, some in enumerate(
            _parts(names, len(names) if name in _UNDIVIDED else _PIPELINE_BLOCK_VALUES // n_rows), start=1
        )
    ]
    if not kept:
        came = ", ".join(f'"{name}" ({kind})' for name, kind in column_types.items()) or "no columns"
        raise TableError(Fault("X", "must have a column to learn from", came))
    columns = ColumnTransformer(kept, sparse_threshold=0.0)
    if features != "rbf":
        return columns
    return Pipeline([("columns", columns), ("features", RBFSampler(**params, random_state=random_state))])


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
    if is_sparse(column_types):
        table, scaler = read(list(column_types)), SparseScaler()
        first = scaler.fit_transform(table.iloc[rows[0]])
        return [[first], *([scaler.transform(table.iloc[part])] for part in rows[1:])]
    train, settings = rows[0], checked_settings(configuration)
    left_out = () if settings["text"]["encode"] != "drop" else ("text",)
    kinds = [kind for kind in _BLOCKS if kind not in left_out]
    of_kind = [[name for name, of in column_types.items() if of == kind] for kind in kinds]
    groups, width = [sum(of_kind, [])], BLOCK_VALUES // len(train)
    if len(groups[0]) > width and named(settings["features"])[0] == "none":
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


def _chain(*steps: Any) -> Pipeline:
    return Pipeline([(type(step).__name__.lower(), step) for step in (*steps, Float32())])


def _imputer(strategy: str) -> SimpleImputer | KeepMissing:
    # A column without values in this fold becomes zeros: the matrix keeps its width and names.
    if strategy == "none":
        return KeepMissing()
    return SimpleImputer(strategy=strategy, keep_empty_features=True)


def _scaler(name: str, random_state: int) -> list[Any]:
    if name == "none":
        return []
    scaler = SCALERS[name]()
    return [scaler.set_params(random_state=random_state) if "random_state" in scaler.get_params() else scaler]


def _texts(settings: Mapping[str, Any], random_state: int) -> Any:
    if settings["encode"] == "tfidf":
        return TextColumns(settings["max_words"], settings["ngrams"], settings["min_df"])
    n_components = settings["n_components"]
    if settings["encode"] == "string":
        return StringVectors("char_wb", (3, 4), n_components, random_state)
    return StringVectors("word", (1, settings["ngrams"]), n_components, random_state)


def _discrete(name: str, context: EncoderContext) -> DiscreteNumbers:
    if name == "target":
        return DiscreteNumbers(encoder_named("target_count", context), None)
    return DiscreteNumbers(OneHotEncoder(handle_unknown="ignore", sparse_output=False, dtype=np.float32))
