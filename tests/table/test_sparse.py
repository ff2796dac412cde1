"""Sparse tables that stay sparse."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from automl.errors import TableError
from automl.table import as_sparse, prepare_matrices, preprocessor
from automl.table.sparse import SparseColumns

DENSE = np.array([[0, 2.0, 0], [4.0, 0, 0], [0, -1.0, 0], [1.0, 0, 8.0]])


@pytest.fixture
def no_dense(monkeypatch):
    """Keep tables of any size sparse."""
    monkeypatch.setattr("automl.table.sparse.DENSE_BYTES", 0)


FORMS = {
    "csr": sparse.csr_matrix,
    "csc array": sparse.csc_array,
    "coo": sparse.coo_matrix,
    "lil": sparse.lil_matrix,
    "integers": lambda X: sparse.csr_matrix(X.astype(int)),
    "pandas": lambda X: pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X), columns=list("abc")),
}


@pytest.mark.usefixtures("no_dense")
@pytest.mark.parametrize("form", FORMS)
def test_sparse_tables_of_any_form_stay_sparse(form):
    table = as_sparse(FORMS[form](DENSE))
    assert table.shape == DENSE.shape
    assert table.matrix.format == "csr"
    assert table.iloc[[2, 0]].matrix.toarray().tolist() == DENSE[[2, 0]].tolist()
    columns = SparseColumns().fit(FORMS[form](DENSE))
    assert set(columns.column_types_.values()) == {"sparse"}
    scaler = preprocessor({}, columns.column_types_)
    found = scaler.fit_transform(columns.transform(FORMS[form](DENSE)))
    assert found.dtype == np.float32
    assert found.toarray().tolist() == [[0, 1, 0], [1, 0, 0], [0, -0.5, 0], [0.25, 0, 1]]


def test_small_and_dense_tables_become_dense():
    assert as_sparse(sparse.csr_matrix(DENSE)) is None
    assert as_sparse(pd.DataFrame(DENSE)) is None


@pytest.mark.usefixtures("no_dense")
def test_folds_of_sparse_tables_are_scaled_by_their_training_rows():
    table = as_sparse(sparse.csr_matrix(DENSE))
    (train,), (valid,) = prepare_matrices(
        {}, {"x0": "sparse"}, lambda names: table, np.zeros(4), [np.array([0, 1]), np.array([2, 3])]
    )
    assert train.toarray().tolist() == [[0, 1, 0], [1, 0, 0]]
    assert valid.toarray().tolist() == [[0, -0.5, 0], [0.25, 0, 8]]


def test_sparse_columns_match_names_and_check_values():
    frame = FORMS["pandas"](DENSE)
    columns = SparseColumns().fit(frame)
    turned = columns.transform(frame[["c", "a", "b"]].assign(new=1))
    assert turned.toarray().tolist() == DENSE.tolist()
    assert columns.transform(DENSE).toarray().tolist() == DENSE.tolist()
    with pytest.raises(TableError, match='column "b": must be in the table, as in training'):
        columns.transform(frame[["a", "c"]])
    with pytest.raises(TableError, match="must have the 3 columns of the training table; got 2 columns"):
        columns.transform(sparse.csr_matrix(DENSE[:, :2]))
    with pytest.raises(TableError, match="must hold finite numbers; got 1 missing or infinite"):
        columns.transform(sparse.csr_matrix(np.where(DENSE == 8, np.nan, DENSE)))
