"""Transformers that scikit-learn lacks; `benchmarks/transformers.py` compares them with skrub's."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import QuantileTransformer, RobustScaler
from sklearn.utils.validation import check_is_fitted

from automl.table.frames import unique_names

__all__ = ["DateParts", "Float32", "GaussianRank", "KeepMissing", "SpreadScaler", "TextColumns"]

DAY = 86_400.0
# Average days of a year, so that a date has nearly the same angle every year.
YEAR = 365.25
# Without a limit, the least and greatest values would score -5.2 and 5.2, however many rows share them.
FARTHEST_SCORE = 3.0


class DateParts(TransformerMixin, BaseEstimator):
    """Encode dates as numbers: days since the first date, and position in the year, week and day.

    Parameters
    ----------
    encode : {"cyclic", "calendar"}
        "cyclic": sine and cosine of each cycle, so that 23:59 is near 0:00. "calendar": integers (year, month,
        day, weekday from Monday = 0, hour, minute), which suit trees.

    Attributes
    ----------
    origins_ : dict of str to float
        The day of each column's first date, in days since 1970; ``days`` counts from it.
    parts_ : dict of str to list of str
        The features of each column: ``days``, those that vary in training, and ``missing`` if dates are missing.

    Examples
    --------
    >>> import pandas as pd
    >>> left = pd.DataFrame({"left": pd.to_datetime(["2013-01-01", "2013-01-03", "2013-02-03"])})
    >>> parts = DateParts("calendar").fit(left)
    >>> parts.get_feature_names_out().tolist()
    ['left_days', 'left_weekday', 'left_month', 'left_day']
    >>> parts.transform(left)[1].tolist()
    [2.0, 3.0, 1.0, 3.0]
    """

    def __init__(self, encode: str = "cyclic") -> None:
        self.encode = encode

    def fit(self, X: pd.DataFrame, y: Any = None) -> DateParts:
        """Find each column's first date and the features that vary.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            datetime64 columns.
        y : object
            Not used.
        """
        self.origins_: dict[str, float] = {}
        self.parts_: dict[str, list[str]] = {}
        for name in map(str, X.columns):
            days = _days(X[name])
            known = ~np.isnan(days)
            self.origins_[name] = float(np.floor(days[known].min())) if known.any() else 0.0
            parts = self._parts_of(X[name], self.origins_[name])
            kept = [part for part, values in parts.items() if part == "days" or _varies(values[known])]
            self.parts_[name] = kept if known.all() else [*kept, "missing"]
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array(list(self.parts_), dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the features, shape (n, number of features), NaN where a date is missing."""
        check_is_fitted(self)
        columns = []
        for name, kept in self.parts_.items():
            parts = self._parts_of(X[name], self.origins_[name])
            columns += [parts[part] for part in kept]
        return np.column_stack(columns)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``column_feature`` for every feature."""
        check_is_fitted(self)
        return unique_names(f"{name}_{part}" for name, parts in self.parts_.items() for part in parts)

    def _parts_of(self, column: pd.Series, origin: float) -> dict[str, np.ndarray]:
        days = _days(column)
        parts = {"days": days - origin, "missing": np.isnan(days).astype(float)}
        when = column.dt
        if self.encode == "calendar":
            parts["weekday"] = when.day_of_week.to_numpy(dtype=float)
            names = ("year", "month", "day", "hour", "minute")
            return parts | {name: getattr(when, name).to_numpy(dtype=float) for name in names}
        time = days % 1
        cycles = {
            "year": (when.day_of_year.to_numpy(dtype=float) - 1 + time) / YEAR,
            "week": ((np.floor(days) + 3) % 7 + time) / 7,  # 1970-01-01 was a Thursday
            "day": time,
        }
        for name, turn in cycles.items():
            parts |= {f"{name}_sin": np.sin(2 * np.pi * turn), f"{name}_cos": np.cos(2 * np.pi * turn)}
        return parts


def _days(column: pd.Series) -> np.ndarray:
    dates = column.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(dates), np.nan, dates.astype(np.int64) / (DAY * 1e6))


def _varies(values: np.ndarray) -> bool:
    return len(values) > 0 and float(np.ptp(values)) > 1e-9


class TextColumns(TransformerMixin, BaseEstimator):
    """Encode text columns by TF-IDF of their words, rows normalised to length 1.

    Parameters
    ----------
    max_words : int
        Terms used of each column, the most frequent ones.
    ngrams : int
        Words of a term at most.
    min_df : int
        Rows that hold a term, at least.

    Attributes
    ----------
    vectorizers_ : dict of str to TfidfVectorizer
        The fitted vectorizer of each column that has a word.

    Examples
    --------
    >>> import pandas as pd
    >>> notes = pd.DataFrame({"note": ["snow, late", "", "late"]})
    >>> words = TextColumns().fit(notes)
    >>> words.get_feature_names_out().tolist()
    ['note_late', 'note_snow']
    >>> words.transform(notes).round(1).tolist()
    [[0.6..., 0.8...], [0.0, 0.0], [1.0, 0.0]]
    """

    # Models of version 0.1.0 have no such attributes.
    ngrams: int = 1
    min_df: int = 1

    def __init__(self, max_words: int = 200, ngrams: int = 1, min_df: int = 1) -> None:
        self.max_words = max_words
        self.ngrams = ngrams
        self.min_df = min_df

    def fit(self, X: pd.DataFrame, y: Any = None) -> TextColumns:
        """Learn the vocabulary and the inverse document frequencies.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            Columns of texts.
        y : object
            Not used.
        """
        self.vectorizers_: dict[str, TfidfVectorizer] = {}
        for name in map(str, X.columns):
            words = TfidfVectorizer(
                max_features=self.max_words,
                ngram_range=(1, self.ngrams),
                min_df=self.min_df,
                token_pattern=r"(?u)\b\w+\b",
                dtype=np.float32,
            )
            with suppress(ValueError):  # a column without words, or with rare ones only
                self.vectorizers_[name] = words.fit(X[name])
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return a column for each word, shape (n, number of words), float32."""
        check_is_fitted(self)
        blocks = [words.transform(X[name]).toarray() for name, words in self.vectorizers_.items()]
        return np.hstack(blocks) if blocks else np.empty((len(X), 0), dtype=np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``column_word`` for every word."""
        check_is_fitted(self)
        return unique_names(
            f"{name}_{word}"
            for name, words in self.vectorizers_.items()
            for word in words.get_feature_names_out()
        )


class SpreadScaler(RobustScaler):
    """Centre by the median and scale by the interquartile range, or by the deviation if that is zero.

    A column that is mostly one value has equal quartiles; scikit-learn does not scale it, and gradient descent
    diverges.

    Examples
    --------
    >>> import numpy as np
    >>> float(SpreadScaler().fit_transform(np.array([[0.0]] * 9 + [[1e6]])).max().round(2))
    3.33
    """

    def fit(self, X: np.ndarray, y: Any = None) -> SpreadScaler:
        """Learn the medians and the scales.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Numbers.
        y : object
            Not used.
        """
        super().fit(X)
        unscaled = np.flatnonzero(self.scale_ == 1.0)
        if not len(unscaled):
            return self
        low, high = np.nanpercentile(X[:, unscaled], [25, 75], axis=0)
        flat = unscaled[low == high]
        deviations = np.nanstd(X[:, flat], axis=0)
        self.scale_[flat] = np.where(deviations > 0, deviations, 1.0)
        return self


class GaussianRank(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Map numbers to normal quantiles of their ranks, with at most 1,000 quantiles.

    Parameters
    ----------
    random_state : int
        Seed of the rows that the quantiles are computed from, if there are more than 10,000.

    Attributes
    ----------
    quantiles_ : QuantileTransformer
        The fitted transformer.

    Examples
    --------
    >>> import numpy as np
    >>> GaussianRank().fit_transform(np.array([[1.0], [2.0], [1000.0]])).round(1).ravel().tolist()
    [-3.0, 0.0, 3.0]
    """

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: Any = None) -> GaussianRank:
        """Learn the quantiles.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Numbers.
        y : object
            Not used.
        """
        n = min(1000, len(X))
        self.quantiles_ = QuantileTransformer(
            n_quantiles=n, output_distribution="normal", random_state=self.random_state
        ).fit(X)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return the scores, shape (n, d)."""
        check_is_fitted(self)
        scores: np.ndarray = self.quantiles_.transform(X)
        return np.clip(scores, -FARTHEST_SCORE, FARTHEST_SCORE, out=scores)


class KeepMissing(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Leave missing numbers missing; a column without any value in training becomes zeros.

    Attributes
    ----------
    empty_ : ndarray of shape (d,), bool
        The columns without a value.

    Examples
    --------
    >>> import numpy as np
    >>> KeepMissing().fit_transform(np.array([[1.0, np.nan], [np.nan, np.nan]])).tolist()
    [[1.0, 0.0], [nan, 0.0]]
    """

    def fit(self, X: Any, y: Any = None) -> KeepMissing:
        """Find the columns without a value.

        Parameters
        ----------
        X : array of shape (n, d)
            Numbers.
        y : object
            Not used.
        """
        self.empty_ = np.isnan(np.asarray(X, dtype=np.float64)).all(axis=0)
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Return the numbers, shape (n, d)."""
        check_is_fitted(self)
        return np.where(self.empty_, 0.0, np.asarray(X, dtype=np.float64))


class Float32(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Convert a matrix to C-contiguous float32; values out of its range are clipped.

    Examples
    --------
    >>> import numpy as np
    >>> Float32().fit_transform(np.array([[1e300, 1.0]])).tolist()
    [[3.4028234663852886e+38, 1.0]]
    """

    def fit(self, X: np.ndarray, y: Any = None) -> Float32:
        """Store the number of columns.

        Parameters
        ----------
        X : ndarray of shape (n, d)
            Numbers.
        y : object
            Not used.
        """
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return float32, shape (n, d)."""
        limit = np.finfo(np.float32).max
        with np.errstate(over="ignore"):
            small = np.array(X, dtype=np.float32, order="C")
        return np.clip(small, -limit, limit, out=small)


# Names of version 0.1.0, for MLflow's own loaders; see `automl.persistence.moved`.
NormalScores, Words = GaussianRank, TextColumns
