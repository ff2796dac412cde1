"""Search for a classifier: is a tumour malignant? It takes about 15 seconds."""

from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split

import automl

if __name__ == "__main__":
    data = load_breast_cancer(as_frame=True)
    y = data.target.map({0: "malignant", 1: "benign"})
    X_train, X_test, y_train, y_test = train_test_split(data.data, y, random_state=0, stratify=y)

    search = automl.Search(space="quick", timeout=15, random_state=0).fit(X_train, y_train)

    print(search.leaderboard_[["trial", "family", "score", "parameters"]].head())
    print(f"ROC AUC on test rows: {search.score(X_test, y_test):.4f}")
    print(search.predict(X_test.head(3)))
