"""These tests need the packages of the extra ``boosting``."""

from importlib.util import find_spec

collect_ignore = [] if all(map(find_spec, ("catboost", "lightgbm", "xgboost"))) else ["test_boosting.py"]
