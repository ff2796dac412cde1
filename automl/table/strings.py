"""Strings as a few dense columns: n-grams, weighted by TF-IDF, reduced by a truncated SVD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

__all__ = ["StringVectors"]

_MIN_HASHES, _MAX_HASHES = (
    1 << 9,
    1 << 14,
)  # bound the size of a model; a vocabulary would grow with the table
_FIT_STRINGS, _FIT_CHARACTERS = 10_000, 1_000_000  # of the strings that an SVD is fitted on
_BLOCK = 20_000  # strings vectorised at once


class StringVectors(TransformerMixin, BaseEstimator):
    """Encode columns of strings by latent semantic analysis of their n-grams.

    Each distinct string is encoded once. Similar strings have similar vectors, unseen ones included. The vectors of a
    column have a total variance of 1. scikit-learn does the work; skrub's `StringEncoder` is the same method with a
    vocabulary in place of hashes, which makes much larger model files.

    Parameters
    ----------
    analyzer : {"char_wb", "word"}
        N-grams of characters within words, or of words.
    ngrams : tuple of int
        Least and greatest length of the n-grams.
    n_components : int
        Greatest number of columns for each column of strings.
    random_state : int
        Seed of the SVD and of the strings that it is fitted on, if there are more than 10,000 strings or 1,000,000
        characters.

    Attributes
    ----------
    vectorizers_ : dict of str to Pipeline
        The fitted transformer of each column that has an n-gram.
    scales_ : dict of str to float
        The divisor of its vectors.

    Examples
    --------
    >>> import pandas as pd
    >>> jobs = pd.DataFrame({"job": ["senior engineer", "engineer", "chef", "sous chef", None]})
    >>> vectors = StringVectors(n_components=2).fit(jobs)
    >>> vectors.get_feature_names_out().tolist()
    ['job_0', 'job_1']
    >>> a, b = vectors.transform(pd.DataFrame({"job": ["enginer", "chefs"]})).argmax(axis=1)
    >>> bool(a != b)
    True
    """

    def __init__(
        self,
        analyzer: str = "char_wb",
        ngrams: Sequence[int] = (3, 4),
        n_components: int = 30,
        random_state: int = 0,
    ) -> None:
        self.analyzer = analyzer
        self.ngrams = ngrams
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any = None) -> StringVectors:
        """Learn the weights and the directions of the n-grams from the distinct strings.

        Parameters
        ----------
        X : DataFrame of shape (n, d)
            Columns of strings or categories.
        y : object
            Not used.
        """
        self.vectorizers_: dict[str, Pipeline] = {}
        self.scales_: dict[str, float] = {}
        for name in map(str, X.columns):
            texts = _sample(_distinct(X[name])[1], self.random_state)
            if not len(texts):
                continue
            grams = self._grams(sum(map(len, texts)))
            weights = grams.fit_transform(texts)
            if not weights.nnz:
                continue
            n_components = min(self.n_components, len(texts))
            svd = TruncatedSVD(n_components, random_state=self.random_state)
            with np.errstate(all="ignore"):  # of the explained variance, for a single string
                vectors = svd.fit_transform(weights)
            spread = float(np.sqrt(vectors.var(axis=0).sum()))
            self.vectorizers_[name] = Pipeline([*grams.steps, ("svd", svd)])
            self.scales_[name] = spread if spread > 1e-6 else 1.0
        self.n_features_in_ = X.shape[1]
        self.feature_names_in_ = np.array([str(name) for name in X.columns], dtype=object)
        return self

    def transform(self, X: pd.DataFrame) -> np.ndarray:
        """Return the vectors, shape (n, number of components), float32; zeros for missing values."""
        check_is_fitted(self)
        blocks = [self._vectors(X[name], name) for name in self.vectorizers_]
        return np.hstack(blocks) if blocks else np.empty((len(X), 0), dtype=np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return ``column_number`` for every component."""
        check_is_fitted(self)
        return np.array(
            [
                f"{name}_{i}"
                for name, vectorizer in self.vectorizers_.items()
                for i in range(len(vectorizer["svd"].components_))
            ],
            dtype=object,
        )

    def _grams(self, n_characters: int) -> Pipeline:
        # About two n-grams start at a character; fewer hashes make the SVD of a short column faster.
        n_hashes = 1 << (2 * n_characters).bit_length()
        hashes = HashingVectorizer(
            analyzer=self.analyzer,
            ngram_range=tuple(self.ngrams),
            n_features=min(max(_MIN_HASHES, n_hashes), _MAX_HASHES),
            alternate_sign=False,
            norm=None,
            token_pattern=r"(?u)\b\w+\b" if self.analyzer == "word" else None,
        )
        return Pipeline([("hashes", hashes), ("weights", TfidfTransformer())])

    def _vectors(self, column: pd.Series, name: str) -> np.ndarray:
        codes, texts = _distinct(column)
        vectorizer = self.vectorizers_[name]
        vectors = np.zeros((len(texts) + 1, len(vectorizer["svd"].components_)), dtype=np.float32)
        for start in range(0, len(texts), _BLOCK):
            block = texts[start : start + _BLOCK]
            vectors[start : start + len(block)] = vectorizer.transform(block) / self.scales_[name]
        found: np.ndarray = vectors[codes]
        return found


def _distinct(column: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return the code of each row, -1 where missing, and the distinct strings."""
    codes, texts = pd.factorize(column)
    return codes, np.asarray(texts, dtype=object)


def _sample(texts: np.ndarray, random_state: int) -> np.ndarray:
    """Return at most as many strings as an SVD is fitted on, drawn at random, in their order."""
    rng = np.random.default_rng(random_state)
    order = rng.permutation(len(texts))[:_FIT_STRINGS]
    total = np.cumsum([len(texts[i]) for i in order])
    kept: np.ndarray = texts[np.sort(order[: max(1, int((total <= _FIT_CHARACTERS).sum()))])]
    return kept
