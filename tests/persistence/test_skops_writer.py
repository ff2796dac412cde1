"""Writing of skops files."""

import json
from io import BytesIO
from zipfile import ZipFile

import numpy as np
import skops.io
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from automl.persistence import dump_skops


def description(file):
    """Return the description of the model in a file, without the ids of its objects."""

    def clean(value):
        if isinstance(value, dict):
            return {name: clean(one) for name, one in value.items() if name not in ("__id__", "file")}
        return [clean(one) for one in value] if isinstance(value, list) else value

    return clean(json.loads(ZipFile(file).read("schema.json")))


def test_dump_skops_writes_the_content_of_skops_in_less_space():
    X = np.array([["a", 1.0], ["b", 2.0], ["a", 3.0], ["c", 4.0]], dtype=object)
    columns = make_column_transformer((OneHotEncoder(), [0]), (StandardScaler(), [1]))
    model = make_pipeline(columns, LogisticRegression()).fit(X, [0, 1, 0, 1])
    ours, theirs = BytesIO(), BytesIO()
    dump_skops(model, ours)
    skops.io.dump(model, theirs)
    assert description(ours) == description(theirs)
    assert ours.getbuffer().nbytes < 0.7 * theirs.getbuffer().nbytes
    loaded = skops.io.load(ours, trusted=skops.io.get_untrusted_types(file=ours))
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
