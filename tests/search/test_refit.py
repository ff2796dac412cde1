"""Matrices of all rows that fits share."""

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from automl.search.refit import SharedMatrices


class Prepare:
    """A step that counts its fits."""

    def __init__(self):
        self.n_fits = 0

    def fit_transform(self, frame, y):
        self.n_fits += 1
        return frame * 2.0


def test_shared_matrices_are_prepared_once_and_freed():
    shared, frame, one, other = SharedMatrices(), np.ones((4, 2)), Prepare(), Prepare()
    standard, minmax = ({"numeric": {"scale": scale}} for scale in ("standard", "minmax"))
    with ThreadPoolExecutor(4) as pool:
        rows = list(pool.map(lambda _: shared(standard, one, frame, None), range(8)))
    same = shared({**standard, "target": {"transform": "log"}}, Prepare(), frame, None)
    assert one.n_fits == 1
    assert all(found is same for found in rows)
    assert shared(minmax, other, frame, None).prepare is other
    matrix = weakref.ref(same.X)
    del rows, same
    gc.collect()
    assert matrix() is None
    assert shared(standard, one, frame, None).prepare is one
    assert one.n_fits == 2
