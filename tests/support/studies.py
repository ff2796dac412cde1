"""A space and a search record for tests of a study."""

from automl.records import SearchRecord

SPACE = {
    "space": {
        "preprocess": {"numeric": {"scale": ["standard", "robust"]}},
        "model": {
            "choice": {
                "linear": {
                    "learning_rate": {"low": 1e-3, "high": 0.3, "log": True},
                    "l1": [0, {"low": 1e-6, "high": 0.1, "log": True}],
                    "loss": ["logistic", "hinge"],
                    "max_epochs": 20,
                },
                "mlp": {"hidden_layer_sizes": [[8], [16]], "dropout": {"low": 0, "high": 0.5}},
                "decision_tree": {"max_depth": {"low": 2, "high": 8}},
            }
        },
    },
    "forbid": [{"linear.loss": "hinge", "linear.learning_rate": {"above": 0.1}}],
    "enqueue": [{"model": "mlp", "mlp.hidden_layer_sizes": [16], "mlp.dropout": 0.25}],
}

SEARCH = SearchRecord(
    study_name="s", task="binary", target="y", scoring="roc_auc", space="test", space_digest="0",
    n_rows=100, n_columns=3, n_folds=3, random_state=7,
)  # fmt: skip
