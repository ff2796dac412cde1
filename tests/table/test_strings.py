from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from skrub import StringEncoder

from automl.table import preprocessor
from automl.table.strings import StringVectors

JOBS = [
    f"{rank} {job}"
    for rank in ("senior", "junior", "chief")
    for job in ("engineer", "nurse", "cook", "clerk")
]


def jobs(n: int = 300) -> pd.DataFrame:
    """Job titles with typing errors, and some missing."""
    rng = np.random.default_rng(0)
    titles = []
    for title in rng.choice(JOBS, n):
        place = rng.integers(len(title))
        titles.append(title[:place] + title[place + 1 :])
    return pd.DataFrame({"job": [None if i % 50 == 0 else title for i, title in enumerate(titles)]})


def test_string_vectors_separate_like_those_of_skrub():
    X = jobs()
    ours = StringVectors(n_components=8).fit_transform(X)
    theirs = StringEncoder(n_components=8, random_state=0).fit_transform(X["job"].fillna("").astype(str))

    def similarity(vectors):
        unit = vectors / (np.linalg.norm(vectors, axis=1, keepdims=True) + 1e-9)
        return (unit @ unit.T)[np.triu_indices(len(unit), 1)]

    assert np.corrcoef(similarity(ours), similarity(theirs.to_numpy()))[0, 1] > 0.9


def test_string_vectors_have_unit_variance_and_missing_is_zero():
    X = pd.DataFrame({"job": sorted(set(jobs()["job"].dropna()))})
    vectors = StringVectors().fit(X)
    matrix = vectors.transform(X)
    assert matrix.var(axis=0).sum() == pytest.approx(1, rel=1e-3)
    assert not vectors.transform(pd.DataFrame({"job": [None, "", "?!"]})).any()
    assert matrix.shape == (len(X), 30)


@pytest.mark.parametrize("values", [[None, None], ["", ""], ["a", "a"], ["!", "?"], ["ab", "cd"]], ids=str)
@pytest.mark.parametrize("analyzer", ["char_wb", "word"])
def test_string_vectors_take_poor_columns(values, analyzer):
    X = pd.DataFrame({"s": values * 10}, dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = StringVectors(analyzer, (1, 2)).fit(X)
        matrix = vectors.transform(X)
    assert np.isfinite(matrix).all()
    assert matrix.shape == (20, len(vectors.get_feature_names_out()))


def test_string_vectors_fit_on_a_sample(monkeypatch):
    monkeypatch.setattr("automl.table.strings._FIT_STRINGS", 40)
    X = jobs()
    vectors = StringVectors(random_state=1).fit(X)
    np.testing.assert_array_equal(clone(vectors).fit_transform(X), vectors.transform(X))
    other = StringVectors(random_state=2).fit(X)
    assert not np.array_equal(other.transform(X), vectors.transform(X))
    monkeypatch.setattr("automl.table.strings._FIT_CHARACTERS", 1)
    assert len(StringVectors().fit(X).get_feature_names_out()) == 1


@pytest.mark.parametrize("encode", ["svd", "string"])
def test_text_encoders_group_similar_texts(encode):
    notes = ["heavy snow in the north", "light snow in the north"] * 20 + ["engine failure at the gate"] * 20
    frame = pd.DataFrame({"note": [f"{note} {i}" for i, note in enumerate(notes)]}, dtype=object)
    settings = {"text": {"encode": encode, "ngrams": 2, "n_components": 4}}
    prepare = preprocessor(settings, {"note": "text"}).fit(frame)
    assert prepare.get_feature_names_out().tolist() == [f"text__note_{i}" for i in range(4)]
    heavy, light, engine = prepare.transform(frame.iloc[[0, 1, 45]])
    assert heavy @ light > 2 * abs(heavy @ engine)


def test_tfidf_takes_terms_of_several_words():
    frame = pd.DataFrame({"note": ["late snow", "late snow", "snow late"]})
    settings = {"text": {"encode": "tfidf", "ngrams": 2, "min_df": 2}}
    prepare = preprocessor(settings, {"note": "text"}).fit(frame)
    names = ["text__note_late", "text__note_late snow", "text__note_snow"]
    assert prepare.get_feature_names_out().tolist() == names
