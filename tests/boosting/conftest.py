"""These tests run where the packages of the extra ``boosting`` are installed, as `make test` does."""

from importlib.util import find_spec

collect_ignore = [] if all(map(find_spec, ("catboost", "lightgbm", "xgboost"))) else ["test_boosting.py"]
