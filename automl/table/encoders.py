"""Encoders of categorical columns, in one table.

To add an encoder, write a function that returns a scikit-learn transformer and add one row to `ENCODERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.model_selection import KFold
from sklearn.pipeline import FeatureUnion
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, TargetEncoder
from typing_extensions import override

from automl.table.cardinality import ByCardinality, CategoryCounts
from automl.table.frames import unique_names
from automl.table.strings import StringVectors

__all__ = [
    "CODED",
    "ENCODERS",
    "SAME",
    "CategoryCodes",
    "Encoder",
    "EncoderContext",
    "NativeCodes",
    "OneHot",
    "category_encoder",
    "encoder_named",
    "high_cardinality_encoder",
    "is_coded",
]

SAME = "same"  # for columns of many categories: the encoder of the others

_NATIVE_CODES = 255  # of a column: the most that HistGradientBoosting takes
_TARGET_TYPES = {"binary": "binary", "multiclass": "multiclass", "regression": "continuous", None: "auto"}


@dataclass(frozen=True)
class EncoderContext:
    """Facts that an encoder may use.

    Parameters
    ----------
    settings : mapping
        The section ``categorical`` of the preprocessing, defaults included.
    task : {"binary", "multiclass", "regression"} or None
        The task, where it is known.
    random_state : int
        Seed of the search.
    scaled : callable
        ``transformer -> transformer`` whose columns are scaled like numeric ones.
    """

    settings: Mapping[str, Any]
    task: str | None
    random_state: int
    scaled: Callable[[Any], Any]


@dataclass(frozen=True)
class Encoder:
    """One row of the table.

    Parameters
    ----------
    build : callable
        ``EncoderContext -> transformer``, not fitted, from columns of categories to numbers.
    scaled : bool
        Whether its columns are scaled like numeric ones.
    n_codes : callable or None
        ``settings -> number of codes`` of each column, for codes that a model takes as categories, not as numbers.
    """

    build: Callable[[EncoderContext], Any]
    scaled: bool = True
    n_codes: Callable[[Mapping[str, Any]], int] | None = None


class _FastEncoder:
    """An encoder of scikit-learn that counts the values of its columns only if some are to be merged.

    scikit-learn counts texts in a loop of Python, which takes twenty times as long as finding the categories. It also
    checks each column of a table, for most of a millisecond; the columns of a typed table are sound.
    """

    max_categories: int | None

    def fit(self, X: Any, y: Any = None) -> Any:
        most = self.max_categories
        # With as many categories as that, scikit-learn merges the rarest one.
        if most is not None and pd.DataFrame(X).nunique(dropna=False).max() < most:
            self.max_categories = None
        try:
            return super().fit(X, y)  # type: ignore[misc]
        finally:
            self.max_categories = most

    def _check_X(self, X: Any, *args: Any, **kwargs: Any) -> tuple[list[np.ndarray], int, int]:
        """Return the columns as arrays of shape (n,), their rows, and their number; scikit-learn calls this."""
        if isinstance(X, pd.DataFrame) and all(map(_has_texts, X.dtypes)):
            return list(X.to_numpy(dtype=object).T), *X.shape
        checked: tuple[list[np.ndarray], int, int] = super()._check_X(X, *args, **kwargs)  # type: ignore[misc]
        return checked


class NativeCodes(_FastEncoder, OrdinalEncoder):
    """Codes from 0 for trees that take categories; missing and unseen ones are NaN."""


class CategoryCodes(_FastEncoder, OrdinalEncoder):
    """Codes from 0: missing (NaN), unseen, then the categories; the rarest share one beyond ``max_categories``.

    Examples
    --------
    >>> codes = CategoryCodes(max_categories=2)
    >>> table = np.array([["a"], ["a"], ["b"], ["c"], [np.nan]], object)
    >>> codes.fit_transform(table).ravel().tolist(), codes.transform([["z"]]).tolist()
    ([2.0, 2.0, 3.0, 3.0, 0.0], [[1.0]])
    """

    def __init__(self, *, max_categories: int | None = None) -> None:
        super().__init__(
            handle_unknown="use_encoded_value",
            unknown_value=-1,
            encoded_missing_value=-2,
            dtype=np.float32,
            max_categories=max_categories,
        )

    @override
    def transform(self, X: Any) -> Any:
        return super().transform(X) + np.float32(2)


class OneHot(_FastEncoder, OneHotEncoder):
    """scikit-learn's encoder with unique names: ``a_b`` with ``c`` and ``a`` with ``b_c`` differ."""

    @override
    def get_feature_names_out(self, input_features: Any = None) -> Any:
        return unique_names(super().get_feature_names_out(input_features))


def _has_texts(dtype: Any) -> bool:
    """Return whether a column has categories that are texts."""
    return isinstance(dtype, pd.CategoricalDtype) and dtype.categories.dtype in (object, "str")


def _onehot(context: EncoderContext) -> Any:
    return OneHot(
        max_categories=context.settings["max_categories"],
        handle_unknown="infrequent_if_exist",
        sparse_output=False,
        dtype=np.float32,
    )


def _ordinal(context: EncoderContext) -> Any:
    return OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-2, dtype=np.float64
    )


def _embed(context: EncoderContext) -> Any:
    return CategoryCodes(max_categories=context.settings["max_categories"])


def _native(context: EncoderContext) -> Any:
    return NativeCodes(
        handle_unknown="use_encoded_value",
        unknown_value=np.nan,
        encoded_missing_value=np.nan,
        dtype=np.float32,
        max_categories=_NATIVE_CODES,
    )


def _target(context: EncoderContext) -> Any:
    folds = KFold(5, shuffle=True, random_state=context.random_state)
    return TargetEncoder(target_type=_TARGET_TYPES[context.task], cv=folds)


def _count(context: EncoderContext) -> Any:
    return CategoryCounts()


def _string(context: EncoderContext) -> Any:
    return StringVectors(random_state=context.random_state)


def _target_count(context: EncoderContext) -> Any:
    return FeatureUnion([("target", _target(context)), ("count", _count(context))])


def _target_string(context: EncoderContext) -> Any:
    # The vectors have a total variance of 1; scaling each of them would enlarge the least of them.
    target_count = context.scaled(_target_count(context))
    return FeatureUnion([("by", target_count), ("like", _string(context))])


def category_encoder(context: EncoderContext) -> Any:
    """Return the transformer of the categorical columns, not fitted."""
    settings = context.settings
    encoder = encoder_named(settings["encode"], context)
    if settings["high_cardinality"] == SAME or is_coded(settings):
        return encoder
    many = encoder_named(settings["high_cardinality"], context)
    return ByCardinality(encoder, many, settings["cardinality_threshold"])


def high_cardinality_encoder(context: EncoderContext) -> ByCardinality:
    """Return the transformer of the columns of many categories, for a model that also takes codes of all of them."""
    many = encoder_named(context.settings["high_cardinality"], context)
    return ByCardinality("drop", many, context.settings["cardinality_threshold"])


def is_coded(settings: Mapping[str, Any]) -> bool:
    """Return whether a model takes the codes of the encoder as categories, so each column has one."""
    return ENCODERS[settings["encode"]].n_codes is not None


def encoder_named(name: str, context: EncoderContext) -> Any:
    """Return the transformer of a row of the table, scaled if its columns are scaled."""
    row = ENCODERS[name]
    return context.scaled(row.build(context)) if row.scaled else row.build(context)


ENCODERS: dict[str, Encoder] = {
    "onehot": Encoder(_onehot, scaled=False),
    "ordinal": Encoder(_ordinal),
    "target": Encoder(_target),
    "target_count": Encoder(_target_count),
    "target_string": Encoder(_target_string, scaled=False),
    "string": Encoder(_string, scaled=False),
    "embed": Encoder(_embed, scaled=False, n_codes=lambda settings: int(settings["max_categories"]) + 2),
    "native": Encoder(_native, scaled=False, n_codes=lambda settings: _NATIVE_CODES),
}

CODED = tuple(name for name, row in ENCODERS.items() if row.n_codes is not None)
"""Encoders whose codes a model takes as categories."""
