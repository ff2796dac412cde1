import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Boosting on small tables spends its time waiting for the other threads."""
    with threadpool_limits(1):
        yield
