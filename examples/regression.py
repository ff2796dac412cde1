"""Search for a regressor: the progression of diabetes after a year. It takes about 20 seconds."""

import math

from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

import automl

SPACE = {
    "space": {
        "model": {
            "choice": {
                "linear": {
                    "optimizer": ["momentum", "adam"],
                    "schedule": ["constant", "cosine"],
                    "learning_rate": {"low": 1e-3, "high": 0.3, "log": True},
                    "l2": {"low": 1e-4, "high": 1, "log": True},
                    "max_epochs": 40,
                },
                "hist_gradient_boosting": {
                    "learning_rate": {"low": 0.02, "high": 0.3, "log": True},
                    "max_iter": 50,
                    "max_leaf_nodes": [4, 8, 16],
                },
            }
        }
    }
}

if __name__ == "__main__":
    X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)

    search = automl.Search(SPACE, n_trials=60, timeout=20, random_state=0).fit(X_train, y_train)

    print(search.leaderboard(wide=True)[["trial", "family", "score", "rmse", "r2"]].head())
    rmse, baseline = -search.score(X_test, y_test), math.sqrt(y_test.var())
    print(f"RMSE on test rows: {rmse:.1f}; of the mean as prediction: {baseline:.1f}")
