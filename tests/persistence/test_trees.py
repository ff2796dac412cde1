"""Trees of loaded models, whose native code trusts them."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.tree import DecisionTreeClassifier
from sklearn.tree._tree import Tree

from automl.persistence.trees import check_trees


def test_check_trees_refuses_a_tree_without_nodes():
    model = DecisionTreeClassifier(max_depth=2).fit(*load_iris(return_X_y=True))
    check_trees(model)
    model.tree_ = Tree(4, np.array([3], dtype=np.intp), 1)  # its prediction ends the process
    with pytest.raises(ValueError, match="no node"):
        check_trees(model)
