from importlib.util import find_spec

import pytest
from threadpoolctl import threadpool_limits

# These tests need the packages of the extra ``boosting``.
collect_ignore = [] if all(map(find_spec, ("catboost", "xgboost"))) else ["test_boosting_packages.py"]


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Limit threads: on small tables boosting mostly waits for them."""
    with threadpool_limits(1):
        yield
